from google import genai
from google.genai import types

client = genai.Client(
    api_key="YOUR_API_KEY",
    http_options=types.HttpOptions(base_url="https://api.aipasshub.cloud")
)

response = client.models.generate_content(
    model="gemini-2.5-pro",
    contents="Name three rivers."
)

print(response.text)
