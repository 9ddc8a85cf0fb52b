import { GoogleGenAI } from "@google/genai";

const client = new GoogleGenAI({
  apiKey: "YOUR_API_KEY",
  httpOptions: { baseUrl: "https://api.aipasshub.cloud" }
});

const response = await client.models.generateContent({
  model: "gemini-2.5-pro",
  contents: "Name three rivers."
});

console.log(response.text);
