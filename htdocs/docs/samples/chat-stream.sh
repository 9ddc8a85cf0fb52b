curl https://api.aipasshub.cloud/v1/chat/completions \
  -H "Content-Type: application/json" \
  -H "Authorization: Bearer YOUR_API_KEY" \
  -d '{
    "model": "gpt-5",
    "messages": [
      {"role": "system", "content": "You are a helpful AI assistant."},
      {"role": "user", "content": "Write a Python quicksort function."}
    ],
    "temperature": 0.7,
    "max_tokens": 2000,
    "stream": true
  }'
