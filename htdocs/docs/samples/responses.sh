curl https://api.aipasshub.cloud/v1/responses \
  -H "Content-Type: application/json" \
  -H "Authorization: Bearer YOUR_API_KEY" \
  -d '{
    "model": "gpt-5",
    "instructions": "Answer in one sentence.",
    "input": "What is a gateway?",
    "store": false
  }'
