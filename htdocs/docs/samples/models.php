<?php
$curl = curl_init("https://api.aipasshub.cloud/v1/models");
curl_setopt_array($curl, [
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_FAILONERROR => true,
    CURLOPT_HTTPHEADER => [
        "Content-Type: application/json",
        "Authorization: Bearer YOUR_API_KEY",
    ],
]);
$answer = curl_exec($curl);
if ($answer === false) {
    exit(curl_error($curl) . "\n");
}
$data = json_decode($answer, true);

foreach ($data["data"] as $model) {
    echo $model["id"], " ", $model["pricing"]["input"] ?? "-", "\n";
}
