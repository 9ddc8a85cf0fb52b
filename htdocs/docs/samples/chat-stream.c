/* cc chat-stream.c -lcurl && ./a.out */
#include <curl/curl.h>

int main(void)
{
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = NULL;
    headers = curl_slist_append(headers, "Content-Type: application/json");
    headers = curl_slist_append(headers, "Authorization: Bearer YOUR_API_KEY");
    const char *body =
        "{\"model\": \"gpt-5\", \"stream\": true,"
        " \"messages\": [{\"role\": \"user\", \"content\": \"Write a haiku about rivers.\"}]}";
    curl_easy_setopt(curl, CURLOPT_URL, "https://api.aipasshub.cloud/v1/chat/completions");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    CURLcode result = curl_easy_perform(curl); /* the answer goes to stdout as it comes */
    if (result != CURLE_OK)
        fprintf(stderr, "%s\n", curl_easy_strerror(result));
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return result == CURLE_OK ? 0 : 1;
}
