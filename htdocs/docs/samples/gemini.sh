curl https://api.aipasshub.cloud/v1beta/models/gemini-2.5-pro:generateContent \
  -H "Content-Type: application/json" \
  -H "x-goog-api-key: YOUR_API_KEY" \
  -d '{
    "contents": [
      {"role": "user", "parts": [{"text": "Name three rivers."}]}
    ]
  }'
