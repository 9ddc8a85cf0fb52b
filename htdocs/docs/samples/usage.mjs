const answer = await fetch("https://api.aipasshub.cloud/v1/usage", {
  headers: { Authorization: "Bearer YOUR_API_KEY" }
});
if (!answer.ok) throw new Error(await answer.text());
const usage = await answer.json();
console.log("Balance:", usage.balance, usage.currency);
