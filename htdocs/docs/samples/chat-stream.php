<?php
$curl = curl_init("https://api.aipasshub.cloud/v1/chat/completions");
curl_setopt_array($curl, [
    CURLOPT_FAILONERROR => true,
    CURLOPT_HTTPHEADER => [
        "Content-Type: application/json",
        "Authorization: Bearer YOUR_API_KEY",
    ],
    CURLOPT_POSTFIELDS => json_encode([
        "model" => "gpt-5",
        "stream" => true,
        "messages" => [["role" => "user", "content" => "Write a haiku about rivers."]],
    ]),
    CURLOPT_WRITEFUNCTION => function ($curl, $bytes) {
        static $rest = "";
        $lines = explode("\n", $rest . $bytes);
        $rest = array_pop($lines);
        foreach ($lines as $line) {
            if (str_starts_with($line, "data: {")) {
                $chunk = json_decode(substr($line, 6), true);
                echo $chunk["choices"][0]["delta"]["content"] ?? "";
            }
        }
        return strlen($bytes);
    },
]);
if (!curl_exec($curl)) {
    exit(curl_error($curl) . "\n");
}
echo "\n";
