const answer = await fetch("https://api.aipasshub.cloud/v1/redeem", {
  method: "POST",
  headers: {
    "Content-Type": "application/json",
    Authorization: "Bearer YOUR_API_KEY"
  },
  body: JSON.stringify({ code: "AIP-0123456789ABCDEF01234567" })
});
if (!answer.ok) throw new Error(await answer.text());
const credit = await answer.json();
console.log("Credited:", credit.amount, credit.currency);
