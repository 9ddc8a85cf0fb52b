/* What makes the pages comfortable. Without it they are complete, only longer. No library, nothing from elsewhere. */
(function () {
  "use strict";
  var root = document.documentElement;
  var LANGS = [["curl", "cURL"], ["python", "Python"], ["node", "Node.js"], ["c", "C"], ["php", "PHP"]];
  var BASE = location.origin;

  function all(selector, from) { return Array.from((from || document).querySelectorAll(selector)); }
  function one(selector, from) { return (from || document).querySelector(selector); }
  /* el("button", {type: "button", onclick: f}, "text", child...) */
  function el(name, attributes) {
    var node = document.createElement(name);
    Object.keys(attributes || {}).forEach(function (k) {
      if (k.startsWith("on")) node[k] = attributes[k];
      else if (attributes[k] !== null) node.setAttribute(k, attributes[k]);
    });
    node.append.apply(node, Array.prototype.slice.call(arguments, 2));
    return node;
  }
  function keep(store, name, value) { try { window[store].setItem(name, value); } catch (e) { /* private mode */ } }
  function kept(store, name) { try { return window[store].getItem(name) || ""; } catch (e) { return ""; } }
  function button(text, onclick, attributes) {
    return el("button", Object.assign({ type: "button", onclick: onclick }, attributes || {}), text);
  }

  /* ---- said to screen readers ---- */
  var live = el("div", { "class": "skip", "aria-live": "polite" });
  document.body.append(live);
  function say(text) { live.textContent = ""; setTimeout(function () { live.textContent = text; }, 50); }

  /* ---- host and key in the samples ---- */
  var key = kept("sessionStorage", "aipass-key");
  var shown = kept("sessionStorage", "aipass-key-shown") === "1";
  function fill() {
    all(".base").forEach(function (e) { e.textContent = BASE; });
    all(".key").forEach(function (e) { e.textContent = shown && key ? key : "YOUR_API_KEY"; });
    all("input.own-key").forEach(function (e) { if (e.value !== key) e.value = key; });
  }
  function keyField(id) {
    return el("input", { type: "password", id: id, "class": "own-key", autocomplete: "off", spellcheck: "false", placeholder: "sk-aip-...",
      oninput: function () { key = this.value.trim(); keep("sessionStorage", "aipass-key", key); fill(); document.dispatchEvent(new Event("aipass-key")); } });
  }
  function rail() {
    var tick = el("input", { type: "checkbox", id: "show-key", onchange: function () {
      shown = this.checked; keep("sessionStorage", "aipass-key-shown", shown ? "1" : "0"); fill();
    } });
    tick.checked = shown;
    var aside = one(".rail");
    aside.prepend(
      el("p", { "class": "hint" }, "Base URL of this host"),
      el("code", {}, BASE + "/v1"),
      el("label", { "for": "rail-key" }, "Your API key"), keyField("rail-key"),
      el("label", { "class": "tick", "for": "show-key" }, tick, "Put it into the samples"),
      el("p", { "class": "hint" }, "Stays in this tab; never sent but to this host, when you try a request."),
      el("p", {}, button("Copy page as Markdown", copyMarkdown)));
  }
  function copyMarkdown() {
    var b = this;
    fetch(one("link[rel=alternate]").href).then(function (a) { return a.text(); })
      .then(function (text) { return copy(text, b); });
  }

  /* ---- copy ---- */
  function copy(text, b) {
    var old = b.dataset.text || b.textContent;
    b.dataset.text = old;
    return navigator.clipboard.writeText(text).then(function () { b.textContent = "Copied"; say("Copied"); },
      function () { b.textContent = "Select and copy by hand"; })
      .then(function () { setTimeout(function () { b.textContent = old; }, 1500); });
  }
  function copyButtons() {
    all("figure.code").forEach(function (figure) {
      figure.append(button("Copy", function () { copy(one("pre", figure).textContent.trimEnd() + "\n", this); },
        { "class": "copy", "aria-label": "Copy this code" }));
    });
  }

  /* ---- languages ---- */
  function choose(lang, from) {
    var top = from && from.getBoundingClientRect().top;
    root.dataset.lang = lang;
    keep("localStorage", "aipass-lang", lang);
    all(".tablist button").forEach(function (b) {
      b.setAttribute("aria-selected", b.dataset.choose === lang);
      b.tabIndex = b.dataset.choose === lang ? 0 : -1;
    });
    if (from) {
      /* Samples above change their height: the reader stays where he is. */
      window.scrollBy({ top: from.getBoundingClientRect().top - top, behavior: "instant" });
      var url = new URL(location.href);
      url.searchParams.set("lang", lang);
      history.replaceState(null, "", url);
    }
  }
  function tabs() {
    all(".tabs").forEach(function (group, n) {
      var figures = all("figure", group);
      if (figures.length < 2) return;
      var list = el("div", { "class": "tablist", role: "tablist", "aria-label": "Language" });
      LANGS.forEach(function (l) {
        var figure = figures.find(function (f) { return f.dataset.lang === l[0]; });
        if (!figure) return;
        var id = "tab-" + n + "-" + l[0];
        figure.id = "panel-" + n + "-" + l[0];
        figure.setAttribute("role", "tabpanel");
        figure.setAttribute("aria-labelledby", id);
        list.append(button(l[1], function () { choose(l[0], this); },
          { role: "tab", id: id, "data-choose": l[0], "aria-controls": figure.id }));
      });
      list.onkeydown = function (e) {
        var i = LANGS.findIndex(function (l) { return l[0] === root.dataset.lang; });
        var step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
        if (!step) return;
        var next = LANGS[(i + step + LANGS.length) % LANGS.length][0];
        choose(next, list);
        one("[data-choose=" + next + "]", list).focus();
        e.preventDefault();
      };
      group.prepend(list);
    });
    choose(root.dataset.lang);
  }

  /* ---- theme ---- */
  function themeButton() {
    var order = ["auto", "light", "dark"];
    var b = button("", function () {
      var next = order[(order.indexOf(root.dataset.theme || "auto") + 1) % 3];
      if (next === "auto") delete root.dataset.theme; else root.dataset.theme = next;
      keep("localStorage", "aipass-theme", next);
      label();
    });
    function label() {
      var now = root.dataset.theme || "auto";
      b.replaceChildren(el("span", { "class": "long" }, "Theme: "), now);
      b.setAttribute("aria-label", "Theme: " + now);
    }
    label();
    return b;
  }

  /* ---- search ---- */
  var index = null, dialog, input, list, status, hits = [], picked = 0;
  function load() {
    if (!index) index = fetch("/docs/search.json").then(function (a) { return a.json(); });
    return index;
  }
  function rate(entry, words) {
    var title = entry[0].toLowerCase(), id = entry[1].toLowerCase(), text = entry[3].toLowerCase(), sum = 0;
    for (var i = 0; i < words.length; i++) {
      var w = words[i];
      var s = title === w ? 20 : title.startsWith(w) ? 12 : title.includes(w) ? 8 : id.includes(w) ? 5 : text.includes(w) ? 1 : 0;
      if (!s) return 0;
      sum += s;
    }
    return sum;
  }
  function find() {
    load().then(function (entries) {
      var words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      hits = words.length ? entries.map(function (e) { return [rate(e, words), e]; }).filter(function (h) { return h[0]; })
        .sort(function (a, b) { return b[0] - a[0]; }).slice(0, 12).map(function (h) { return h[1]; }) : [];
      list.replaceChildren.apply(list, hits.map(function (e, i) {
        return el("li", { role: "option", id: "hit-" + i, onclick: function () { picked = i; go(); } },
          el("b", {}, e[0]), el("small", {}, e[2] + ": " + e[3]));
      }));
      status.textContent = !words.length ? "Headings, parameters and errors of all pages." : hits.length ? hits.length + " found" : "Nothing found";
      pick(0);
    });
  }
  function pick(i) {
    picked = Math.max(0, Math.min(i, hits.length - 1));
    all("li", list).forEach(function (li, n) {
      li.setAttribute("aria-selected", n === picked);
      if (n === picked) li.scrollIntoView({ block: "nearest", behavior: "instant" });
    });
    if (hits.length) input.setAttribute("aria-activedescendant", "hit-" + picked);
    else input.removeAttribute("aria-activedescendant");
  }
  function go() {
    if (!hits[picked]) return;
    dialog.close();
    location.href = hits[picked][1];
  }
  function search() {
    input = el("input", { type: "search", role: "combobox", "aria-expanded": "true", "aria-controls": "hits", "aria-label": "Search the documentation",
      placeholder: "Search", autocomplete: "off", oninput: find, onkeydown: function (e) {
        if (e.key === "ArrowDown") pick(picked + 1);
        else if (e.key === "ArrowUp") pick(picked - 1);
        else if (e.key === "Enter") go();
        else if (e.key === "Escape") dialog.close();
        else return;
        e.preventDefault();
      } });
    list = el("ul", { "class": "results", role: "listbox", id: "hits", "aria-label": "Results" });
    status = el("p", { "class": "status", role: "status" });
    dialog = el("dialog", { "aria-label": "Search", onclick: function (e) { if (e.target === dialog) dialog.close(); } }, input, list, status);
    document.body.append(dialog);
    document.addEventListener("keydown", function (e) {
      var typing = /^(INPUT|TEXTAREA|SELECT)$/.test(e.target.tagName);
      if ((e.key === "/" && !typing && !e.ctrlKey && !e.metaKey && !e.altKey) || (e.key.toLowerCase() === "k" && (e.ctrlKey || e.metaKey))) {
        e.preventDefault();
        open();
      }
    });
    return button("", open, { "class": "search-button", "aria-label": "Search the docs", "aria-keyshortcuts": "/ Control+K" });
  }
  function open() {
    if (!dialog.open) dialog.showModal();
    input.value = "";
    find();
    input.focus();
  }

  /* ---- where the reader is ---- */
  function spy() {
    var links = {}, current = null;
    all(".sections a").forEach(function (a) { links[a.hash.slice(1)] = a; });
    var sections = all("main section");
    if (!sections.length) return;
    function mark() {
      var found = sections[0];
      for (var i = 0; i < sections.length; i++) if (sections[i].getBoundingClientRect().top < 120) found = sections[i];
      /* At the end of the page the last ones never come to the top. */
      if (innerHeight + scrollY > root.scrollHeight - 4) {
        found = sections[sections.length - 1];
        var target = location.hash && one("main section > " + "[id='" + location.hash.slice(1).replace(/[^\w.-]/g, "") + "']");
        if (target && target.getBoundingClientRect().top > 0) found = target.parentNode;
      }
      var a = links[found.getAttribute("aria-labelledby")];
      if (!a || a === current) return;
      if (current) current.removeAttribute("aria-current");
      a.setAttribute("aria-current", "location");
      current = a;
      var side = one(".side");
      if (a.offsetTop < side.scrollTop + 60 || a.offsetTop > side.scrollTop + side.clientHeight - 60)
        side.scrollTop = a.offsetTop - side.clientHeight / 2;
    }
    var waiting = false;
    addEventListener("scroll", function () {
      if (!waiting) requestAnimationFrame(function () { waiting = false; mark(); });
      waiting = true;
    }, { passive: true });
    mark();
  }
  function navigation() {
    var details = one(".side details"), wide = matchMedia("(min-width: 60rem)");
    function fit() { details.open = wide.matches; details.className = "fit"; }
    wide.addEventListener("change", fit);
    fit();
    details.addEventListener("click", function (e) { if (e.target.closest(".sections a") && !wide.matches) details.open = false; });
  }

  /* ---- try it ---- */
  var KINDS = {
    chat: { name: "Chat", path: "/v1/chat/completions", body: function (model, text) {
      return { model: model, messages: [{ role: "user", content: text }], max_tokens: 256, stream: true, stream_options: { include_usage: true } }; },
      text: function (d) { return d.choices && d.choices[0] && d.choices[0].delta && d.choices[0].delta.content; } },
    messages: { name: "Messages", path: "/v1/messages", body: function (model, text) {
      return { model: model, max_tokens: 256, messages: [{ role: "user", content: text }], stream: true }; },
      text: function (d) { return d.type === "content_block_delta" && d.delta.text; } },
    models: { name: "Models", path: "/v1/models", body: null, text: null }
  };
  function consoleForm() {
    var at = one("#console");
    if (!at) return;
    var kind = el("select", { id: "try-kind", onchange: reset }), model = el("input", { id: "try-model", value: "gpt-5", list: "try-models" });
    var names = el("datalist", { id: "try-models" });
    var body = el("textarea", { id: "try-body", spellcheck: "false" });
    var facts = el("ul", { "class": "facts", "aria-live": "polite" });
    var output = el("div", { "class": "output", tabindex: "0", role: "group", "aria-label": "Answer" });
    var head = el("pre", { tabindex: "0" }), details = el("details", {}, el("summary", {}, "Headers of the answer"), head);
    var stop = button("Stop", function () { if (running) running.abort(); }, { disabled: "" });
    var running = null;
    Object.keys(KINDS).forEach(function (k) { kind.append(el("option", { value: k }, KINDS[k].name)); });
    model.oninput = reset;
    function reset() {
      var k = KINDS[kind.value];
      body.value = k.body ? JSON.stringify(k.body(model.value, "Say hello in three languages."), null, 2) : "";
      body.disabled = !k.body;
    }
    function send(e) {
      e.preventDefault();
      var k = KINDS[kind.value], began = performance.now(), first = 0, cost = null;
      if (!key) { output.textContent = "Enter your key first."; one("#try-key").focus(); return; }
      running = new AbortController();
      stop.disabled = false;
      output.textContent = "";
      head.textContent = "";
      facts.replaceChildren();
      function fact(name, value) { facts.append(el("li", {}, el("b", {}, name + " "), value)); }
      function time() { return Math.round(performance.now() - began) + " ms"; }
      function event(line) {
        var d, t;
        if (!line.startsWith("data: {")) return;
        d = JSON.parse(line.slice(6));
        t = k.text(d);
        if (t) { if (!first) { first = 1; fact("First token", time()); } output.append(t); }
        if (d.usage && d.usage.cost !== undefined) cost = d.usage.cost;
        if (d.error) output.append("\n" + JSON.stringify(d.error));
      }
      var headers = { Authorization: "Bearer " + key, "x-aipass-cost": "include" };
      if (k.body) headers["Content-Type"] = "application/json";
      fetch(k.path, { method: k.body ? "POST" : "GET", headers: headers, body: k.body ? body.value : undefined, signal: running.signal })
        .then(function (a) {
          fact("Status", String(a.status));
          fact("Request id", a.headers.get("x-request-id") || "-");
          head.textContent = Array.from(a.headers).map(function (h) { return h[0] + ": " + h[1]; }).join("\n");
          if (!/event-stream/.test(a.headers.get("content-type"))) return a.text().then(function (t) {
            try { t = JSON.stringify(JSON.parse(t), null, 2); } catch (x) { /* as it is */ }
            output.textContent = t;
          });
          var reader = a.body.getReader(), decoder = new TextDecoder(), rest = "";
          return reader.read().then(function next(part) {
            if (part.done) return;
            var lines = (rest + decoder.decode(part.value, { stream: true })).split("\n");
            rest = lines.pop();
            lines.forEach(event);
            return reader.read().then(next);
          });
        })
        .catch(function (x) { output.append("\n" + (x.name === "AbortError" ? "Stopped." : x.message)); })
        .then(function () {
          fact("Total", time());
          if (cost !== null) fact("Cost", cost + " USD");
          stop.disabled = true;
        });
    }
    at.append(el("form", { onsubmit: send },
      el("div", {}, el("label", { "for": "try-kind" }, "Endpoint"), kind),
      el("div", {}, el("label", { "for": "try-model" }, "Model"), model, names),
      el("div", { "class": "wide" }, el("label", { "for": "try-key" }, "Your API key"), keyField("try-key")),
      el("div", { "class": "wide" }, el("label", { "for": "try-body" }, "Request"), body),
      el("div", { "class": "wide" }, el("button", { "class": "go" }, "Send"), stop)), facts, output, details);
    function list() {
      if (!/^sk-aip-/.test(key)) return;
      ask().then(function (d) { names.replaceChildren.apply(names, d.map(function (m) { return el("option", { value: m.id }); })); }, function () {});
    }
    document.addEventListener("aipass-key", list);
    list();
    reset();
  }

  /* ---- prices ---- */
  function ask() {
    return fetch("/v1/models", { headers: { Authorization: "Bearer " + key } }).then(function (a) {
      return a.json().then(function (d) { if (!a.ok) throw new Error(d.error ? d.error.message : a.status); return d.data; });
    });
  }
  function prices() {
    var at = one("#prices-table");
    if (!at) return;
    var out = el("div", { "aria-live": "polite" });
    at.append(el("p", {}, el("label", { "for": "prices-key" }, "Your API key "), keyField("prices-key")), out);
    function times(price, multiplier) { return price === undefined ? "-" : String(+(price * multiplier).toPrecision(9)); }
    function show() {
      if (!key) { out.replaceChildren(); return; }
      ask().then(function (models) {
        var head = el("tr", {}), body = el("tbody", {}), names = [];
        ["Model", "Input", "Cached", "Output", "Per request", "Context", "Output at most"].forEach(function (t, i) { names[i] = t; head.append(el("th", { scope: "col" }, t)); });
        models.forEach(function (m) {
          var p = m.pricing, x = +(p.multiplier || 1), tr = el("tr", {}, el("td", {}, el("code", {}, m.id)));
          [times(p.input, x), times(p.cached_input, x), times(p.output, x), times(p.request, x), m.context_length.toLocaleString("en"),
            m.max_output_tokens.toLocaleString("en")].forEach(function (t, i) { tr.append(el("td", { "data-label": names[i + 1] }, t)); });
          body.append(tr);
        });
        out.replaceChildren(el("div", { "class": "table short" },
          el("table", {}, el("thead", {}, head), body)));
      }).catch(function (x) { out.replaceChildren(el("p", {}, x.message)); });
    }
    var timer = 0;
    document.addEventListener("aipass-key", function () { clearTimeout(timer); timer = setTimeout(show, 400); });
    show();
  }

  /* ---- whom to ask: what the host's settings say now ---- */
  function contacts() {
    var at = one("#contacts");
    if (!at) return;
    fetch("/v1/site").then(function (a) { return a.json(); }).then(function (d) {
      var s = d.support, list = el("ul", {});
      if (s.email) list.append(el("li", {}, el("a", { href: "mailto:" + s.email }, s.email)));
      if (/^https?:/.test(s.url)) list.append(el("li", {}, el("a", { href: s.url }, s.url)));
      if (list.firstChild) at.append(list);
    }).catch(function () { /* the text says where to look */ });
  }

  var finder = search();
  finder.append(el("span", {}, "Search", el("span", { "class": "long" }, " the docs")), el("kbd", { "aria-hidden": "true" }, "/"));
  one("#tools").append(finder, themeButton());
  rail();
  tabs();
  copyButtons();
  consoleForm();
  prices();
  contacts();
  fill();
  navigation();
  spy();
  if (location.hash) { var target = document.getElementById(decodeURIComponent(location.hash.slice(1))); if (target) target.scrollIntoView({ behavior: "instant" }); }
})();
