import OpenAI from "openai";

const client = new OpenAI({
  apiKey: "YOUR_API_KEY",
  baseURL: "https://api.aipasshub.cloud/v1"
});

const response = await client.responses.create({
  model: "gpt-5",
  instructions: "Answer in one sentence.",
  input: "What is a gateway?",
  store: false
});

console.log(response.output_text);
