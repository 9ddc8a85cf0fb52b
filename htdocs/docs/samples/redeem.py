import httpx

answer = httpx.post(
    "https://api.aipasshub.cloud/v1/redeem",
    headers={"Authorization": "Bearer YOUR_API_KEY"},
    json={"code": "AIP-0123456789ABCDEF01234567"}
)
answer.raise_for_status()
print("Credited:", answer.json()["amount"], answer.json()["currency"])
