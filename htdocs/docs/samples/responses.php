<?php
$curl = curl_init("https://api.aipasshub.cloud/v1/responses");
curl_setopt_array($curl, [
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_FAILONERROR => true,
    CURLOPT_HTTPHEADER => [
        "Content-Type: application/json",
        "Authorization: Bearer YOUR_API_KEY",
    ],
    CURLOPT_POSTFIELDS => json_encode([
        "model" => "gpt-5",
        "instructions" => "Answer in one sentence.",
        "input" => "What is a gateway?",
        "store" => false,
    ]),
]);
$answer = curl_exec($curl);
if ($answer === false) {
    exit(curl_error($curl) . "\n");
}
$data = json_decode($answer, true);

foreach ($data["output"] as $item) {
    foreach ($item["content"] ?? [] as $part) {
        echo $part["text"] ?? "", "\n";
    }
}
