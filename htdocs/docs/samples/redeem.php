<?php
$curl = curl_init("https://api.aipasshub.cloud/v1/redeem");
curl_setopt_array($curl, [
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_FAILONERROR => true,
    CURLOPT_HTTPHEADER => [
        "Content-Type: application/json",
        "Authorization: Bearer YOUR_API_KEY",
    ],
    CURLOPT_POSTFIELDS => json_encode([
        "code" => "AIP-0123456789ABCDEF01234567",
    ]),
]);
$answer = curl_exec($curl);
if ($answer === false) {
    exit(curl_error($curl) . "\n");
}
$data = json_decode($answer, true);

echo "Credited: ", $data["amount"], " ", $data["currency"], "\n";
