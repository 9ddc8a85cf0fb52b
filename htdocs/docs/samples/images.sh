curl https://api.aipasshub.cloud/v1/images/generations \
  -H "Content-Type: application/json" \
  -H "Authorization: Bearer YOUR_API_KEY" \
  -d '{
    "model": "gpt-image-2",
    "prompt": "Create a modern technology logo for an AI API platform.",
    "size": "1536x1024",
    "quality": "high",
    "n": 1
  }'
