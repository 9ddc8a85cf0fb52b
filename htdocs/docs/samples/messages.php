<?php
$curl = curl_init("https://api.aipasshub.cloud/v1/messages");
curl_setopt_array($curl, [
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_FAILONERROR => true,
    CURLOPT_HTTPHEADER => [
        "Content-Type: application/json",
        "x-api-key: YOUR_API_KEY",
    ],
    CURLOPT_POSTFIELDS => json_encode([
        "model" => "claude-sonnet-4-6",
        "max_tokens" => 1024,
        "messages" => [["role" => "user", "content" => "Write a binary search in PHP."]],
    ]),
]);
$answer = curl_exec($curl);
if ($answer === false) {
    exit(curl_error($curl) . "\n");
}
$data = json_decode($answer, true);

echo $data["content"][0]["text"], "\n";
