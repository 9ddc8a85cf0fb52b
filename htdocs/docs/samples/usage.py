import httpx

answer = httpx.get(
    "https://api.aipasshub.cloud/v1/usage",
    headers={"Authorization": "Bearer YOUR_API_KEY"}
)
answer.raise_for_status()
print("Balance:", answer.json()["balance"], answer.json()["currency"])
