curl https://api.aipasshub.cloud/v1/usage \
  -H "Authorization: Bearer YOUR_API_KEY"
