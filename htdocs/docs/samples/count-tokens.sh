curl https://api.aipasshub.cloud/v1/messages/count_tokens \
  -H "content-type: application/json" \
  -H "x-api-key: YOUR_API_KEY" \
  -d '{
    "model": "claude-sonnet-4-6",
    "messages": [
      {"role": "user", "content": "How long is this?"}
    ]
  }'
