from openai import OpenAI

client = OpenAI(
    api_key="YOUR_API_KEY",
    base_url="https://api.aipasshub.cloud/v1"
)

response = client.responses.create(
    model="gpt-5",
    instructions="Answer in one sentence.",
    input="What is a gateway?",
    store=False
)

print(response.output_text)
