import OpenAI from "openai";

const client = new OpenAI({
  apiKey: "YOUR_API_KEY",
  baseURL: "https://api.aipasshub.cloud/v1"
});

for await (const model of client.models.list()) {
  console.log(model.id, model.pricing);
}
