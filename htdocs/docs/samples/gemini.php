<?php
$curl = curl_init("https://api.aipasshub.cloud/v1beta/models/gemini-2.5-pro:generateContent");
curl_setopt_array($curl, [
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_FAILONERROR => true,
    CURLOPT_HTTPHEADER => [
        "Content-Type: application/json",
        "x-goog-api-key: YOUR_API_KEY",
    ],
    CURLOPT_POSTFIELDS => json_encode([
        "contents" => [["role" => "user", "parts" => [["text" => "Name three rivers."]]]],
    ]),
]);
$answer = curl_exec($curl);
if ($answer === false) {
    exit(curl_error($curl) . "\n");
}
$data = json_decode($answer, true);

echo $data["candidates"][0]["content"]["parts"][0]["text"], "\n";
