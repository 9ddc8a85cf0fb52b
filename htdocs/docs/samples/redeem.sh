curl https://api.aipasshub.cloud/v1/redeem \
  -H "Content-Type: application/json" \
  -H "Authorization: Bearer YOUR_API_KEY" \
  -d '{"code": "AIP-0123456789ABCDEF01234567"}'
