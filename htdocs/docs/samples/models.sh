curl https://api.aipasshub.cloud/v1/models \
  -H "Authorization: Bearer YOUR_API_KEY"
