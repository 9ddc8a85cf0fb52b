curl https://api.aipasshub.cloud/v1/video/generations \
  -H "Content-Type: application/json" \
  -H "Authorization: Bearer YOUR_API_KEY" \
  -d '{
    "model": "seedance-2.0",
    "prompt": "A futuristic city with flying vehicles at sunset.",
    "duration": 5,
    "ratio": "16:9",
    "resolution": "1080p"
  }'
