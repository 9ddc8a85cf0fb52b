/* Before the first paint: theme and language of the samples, so that nothing jumps. */
(function () {
  "use strict";
  var root = document.documentElement;
  function get(name) {
    try { return localStorage.getItem(name); } catch (e) { return null; }
  }
  var theme = get("aipass-theme");
  if (theme === "dark" || theme === "light") root.dataset.theme = theme;
  var lang = new URLSearchParams(location.search).get("lang") || get("aipass-lang") || "curl";
  if (!/^(curl|python|node|c|php)$/.test(lang)) lang = "curl";
  root.dataset.lang = lang;
  root.dataset.js = "";
})();
