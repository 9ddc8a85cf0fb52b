from openai import OpenAI

client = OpenAI(
    api_key="YOUR_API_KEY",
    base_url="https://api.aipasshub.cloud/v1"
)

for model in client.models.list():
    print(model.id, model.pricing)
