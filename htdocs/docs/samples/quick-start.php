<?php
$curl = curl_init("https://api.aipasshub.cloud/v1/chat/completions");
curl_setopt_array($curl, [
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_FAILONERROR => true,
    CURLOPT_HTTPHEADER => [
        "Content-Type: application/json",
        "Authorization: Bearer YOUR_API_KEY",
    ],
    CURLOPT_POSTFIELDS => json_encode([
        "model" => "gpt-5",
        "messages" => [["role" => "user", "content" => "Hello from PHP!"]],
    ]),
]);
$answer = curl_exec($curl);
if ($answer === false) {
    exit(curl_error($curl) . "\n");
}
$data = json_decode($answer, true);

echo $data["choices"][0]["message"]["content"], "\n";
