// The documentation in headless Chromium: no violation that axe finds, nothing that scrolls sideways, all of it by keyboard, and the parts
// that JavaScript adds. PASS and FAIL lines; the last line is 'N passed, N failed'. BASE: the host; KEY: of an account with money;
// SHOTS: where pictures go.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const { BASE, KEY, SHOTS } = process.env;
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WIDTHS = [320, 768, 1280];
const THEMES = ["light", "dark"];
const PAGES = ["/docs/", "/docs/prices", "/docs/admin", "/docs/schema", "/"];
// Photographed besides, to be looked at.
const SECTIONS = ["/docs/#quick-start", "/docs/#chat", "/docs/#error-list", "/docs/#limits", "/docs/#translation", "/docs/#claude-code", "/docs/#codex", "/docs/#try",
  "/docs/admin#cookbook", "/docs/admin#channels", "/docs/admin#offers", "/docs/schema#table-channels"];
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
let passed = 0, failed = 0;

async function check(name, test) {
  try {
    await test();
    passed++;
    console.log(`PASS browser: ${name}`);
  } catch (e) {
    failed++;
    console.log(`FAIL browser: ${name}\n     ${String(e.message).slice(0, 1500)}`);
  }
}
function ensure(what, text) { if (!what) throw new Error(text); }

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox"] });

async function fresh(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.problems = [];
  page.on("console", (m) => { if (m.type() === "error") page.problems.push(m.text()); });
  page.on("pageerror", (e) => page.problems.push(e.message));
  return page;
}

async function violations(page) {
  // As a test tool it may do what the page's policy forbids.
  await page.evaluate(AXE);
  const result = await page.evaluate((tags) => window.axe.run(document, { runOnly: { type: "tag", values: tags } }), TAGS);
  return result.violations.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 120)).join(" | ")}`);
}
// What is wider than the page; code may scroll by itself, tables may not.
const widerThanPage = () => Array.from(document.querySelectorAll("body *"))
  .filter((e) => !e.closest("pre") && (e.getBoundingClientRect().right > innerWidth + 1 || (e.matches(".table, main, nav") && e.scrollWidth > e.clientWidth + 1)))
  .slice(0, 4).map((e) => e.outerHTML.slice(0, 80));

for (const theme of THEMES) {
  for (const width of WIDTHS) {
    const page = await fresh({ viewport: { width, height: 900 }, colorScheme: theme });
    for (const path of PAGES) {
      await check(`${path} at ${width} px, ${theme}: axe finds nothing`, async () => {
        await page.goto(BASE + path, { waitUntil: "networkidle" });
        const found = await violations(page);
        ensure(found.length === 0, found.join("\n     "));
      });
      await check(`${path} at ${width} px, ${theme}: nothing scrolls sideways`, async () => {
        const wide = await page.evaluate(widerThanPage);
        ensure(wide.length === 0, wide.join("\n"));
      });
      await page.screenshot({ path: `${SHOTS}/${path.replace(/\//g, "") || "start"}-${width}-${theme}.png` });
    }
    for (const at of SECTIONS) {
      await page.goto(BASE + at);
      await page.waitForTimeout(200);
      await page.screenshot({ path: `${SHOTS}/${at.split("#")[1]}-${width}-${theme}.png` });
    }
    await check(`${width} px, ${theme}: no error in the console`, async () => ensure(page.problems.length === 0, page.problems.join("\n")));
    await page.context().close();
  }
}

await check("nothing scrolls sideways at any width between", async () => {
  for (const width of [360, 414, 480, 639, 641, 700, 832, 900, 959, 961, 1024, 1100, 1199, 1201, 1440, 1920]) {
    const page = await fresh({ viewport: { width, height: 900 } });
    for (const path of PAGES) {
      await page.goto(BASE + path);
      const wide = await page.evaluate(widerThanPage);
      ensure(wide.length === 0, `${path} at ${width} px: ${wide.join("\n")}`);
    }
    await page.context().close();
  }
});

await check("a page loads at most 6 files, all from its host, and shows itself without a flash", async () => {
  const page = await fresh();
  const asked = [];
  page.on("request", (r) => { if (!r.url().startsWith("data:")) asked.push(r.url()); });
  await page.addInitScript(() => { localStorage.setItem("aipass-theme", "dark"); localStorage.setItem("aipass-lang", "php"); });
  await page.goto(BASE + "/docs/", { waitUntil: "networkidle" });
  ensure(asked.length <= 6 && asked.every((u) => u.startsWith(BASE)), asked.join("\n"));
  ensure(await page.evaluate(() => getComputedStyle(document.body).backgroundColor) === "rgb(17, 21, 27)", "not dark");
  ensure(await page.locator(".tabs figure[data-lang=php]").first().isVisible(), "PHP is not chosen");
});

await check("one choice of a language switches all samples, and is remembered", async () => {
  const page = await fresh();
  await page.goto(BASE + "/docs/");
  await page.locator(".tablist").first().getByRole("tab", { name: "Python" }).click();
  ensure(await page.locator("#messages ~ .tabs figure[data-lang=python]").first().isVisible(), "not switched");
  ensure(page.url().includes("lang=python"), page.url());
  await page.goto(BASE + "/docs/");
  ensure(await page.locator(".tabs figure[data-lang=python]").first().isVisible(), "forgotten");
  await page.goto(BASE + "/docs/?lang=c");
  ensure(await page.locator(".tabs figure[data-lang=c]").first().isVisible(), "?lang= does not count");
});

await check("search by keyboard leads to a parameter, and Escape closes it", async () => {
  const page = await fresh();
  await page.goto(BASE + "/docs/");
  await page.keyboard.press("/");
  await page.keyboard.type("insufficient_quota");
  await page.locator(".results li").first().waitFor();
  await page.keyboard.press("Escape");
  ensure(!(await page.locator("dialog").isVisible()), "still open");
  await page.keyboard.press("Control+k");
  await page.keyboard.type("recharge payment");
  await page.locator(".results li").first().waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  await page.waitForURL(/admin#sql-recharge|#/);
});

await check("tabs, theme, copy and contents work by keyboard alone", async () => {
  const page = await fresh();
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.goto(BASE + "/docs/");
  await page.keyboard.press("Tab");
  ensure(await page.evaluate(() => document.activeElement.className) === "skip", "the skip link is not first");
  await page.keyboard.press("Enter");
  ensure(await page.evaluate(() => document.activeElement.id) === "main", "the skip link does not lead to the text");
  await page.locator(".tablist [aria-selected=true]").first().focus();
  await page.keyboard.press("ArrowRight");
  ensure(await page.evaluate(() => document.activeElement.textContent) === "Python", "arrows do not move");
  await page.locator(".tabs figure[data-lang=python] .copy").first().focus();
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.activeElement.textContent === "Copied");
  const text = await page.evaluate(() => navigator.clipboard.readText());
  ensure(text.startsWith("from openai import OpenAI") && text.includes(BASE), text);
  await page.getByRole("button", { name: /^Theme/ }).focus();
  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter");
  ensure(await page.evaluate(() => document.documentElement.dataset.theme) === "dark", "the theme does not change");
  await page.locator(".sections a[href='#errors']").focus();
  await page.keyboard.press("Enter");
  await page.waitForFunction(() => document.querySelector(".sections a[aria-current]")?.hash === "#errors");
});

await check("every focus is seen: nothing lies under the header", async () => {
  const page = await fresh({ viewport: { width: 768, height: 700 } });
  await page.goto(BASE + "/docs/#errors");
  for (let i = 0; i < 40; i++) {
    await page.keyboard.press("Tab");
    const hidden = await page.evaluate(() => {
      const e = document.activeElement, r = e.getBoundingClientRect(), top = document.querySelector(".top").getBoundingClientRect().bottom;
      return !e.closest(".top") && !e.closest(".skip") && r.height > 0 && r.bottom <= top ? e.outerHTML.slice(0, 100) : "";
    });
    ensure(!hidden, hidden);
  }
});

await check("the reader's key goes into the samples when asked, and stays in the tab", async () => {
  const page = await fresh();
  await page.goto(BASE + "/docs/");
  await page.fill("#rail-key", KEY);
  ensure((await page.locator("pre .key").first().textContent()) === "YOUR_API_KEY", "shown unasked");
  await page.check("#show-key");
  ensure((await page.locator("pre .key").first().textContent()) === KEY, "not shown");
  ensure((await page.locator("pre .base").first().textContent()) === BASE, "not this host");
  ensure(await page.evaluate((k) => !JSON.stringify(localStorage).includes(k) && !document.cookie.includes(k), KEY), "it is kept beyond the tab");
});

await check("the console streams an answer with its status, id, time and cost", async () => {
  for (const kind of ["chat", "messages", "models"]) {
    const page = await fresh();
    await page.goto(BASE + "/docs/#try");
    await page.selectOption("#try-kind", kind);
    await page.fill("#try-model", kind === "messages" ? "claude-sonnet-4-6" : "gpt-5");
    await page.fill("#try-key", KEY);
    await page.click(".go");
    await page.waitForFunction(() => /Total/.test(document.querySelector(".facts").textContent), null, { timeout: 20000 });
    const facts = await page.locator(".facts").textContent(), out = await page.locator(".output").textContent();
    ensure(/Status 200/.test(facts) && /Request id [0-9A-Z]{26}/.test(facts), `${kind}: ${facts}`);
    ensure(kind === "models" ? /claude-sonnet-4-6/.test(out) : /Hello/.test(out), `${kind}: ${out}`);
    if (kind === "chat") ensure(/First token/.test(facts) && /Cost [0-9.e-]+ USD/.test(facts), `${kind}: ${facts}`);
    await page.locator("#try").scrollIntoViewIfNeeded();
    if (kind === "chat") await page.screenshot({ path: `${SHOTS}/console-1280-light.png` });
    await page.context().close();
  }
});

await check("the price page shows this host's prices", async () => {
  const page = await fresh();
  await page.goto(BASE + "/docs/prices");
  await page.fill("#prices-key", KEY);
  await page.waitForSelector("#prices-table tbody tr");
  const text = await page.locator("#prices-table").textContent();
  ensure(/gpt-5.*1\.25/.test(text), text);
  const found = await violations(page);
  ensure(found.length === 0, found.join("\n"));
  await page.screenshot({ path: `${SHOTS}/prices-filled-1280-light.png` });
});

await check("support shows what the settings say, and nothing where they are empty", async () => {
  for (const [support, links] of [[{ email: "help@example.com", url: "https://help.example/" }, ["mailto:help@example.com", "https://help.example/"]],
    [{ email: null, url: null }, []], [{ email: null, url: "javascript:alert(1)" }, []]]) {
    const page = await fresh();
    await page.route("**/v1/site", (r) => r.fulfill({ json: { object: "site", version: "0", support } }));
    const answered = page.waitForResponse("**/v1/site");
    await page.goto(BASE + "/docs/#support");
    await answered;
    await page.waitForTimeout(100);
    const found = await page.locator("#contacts a").evaluateAll((a) => a.map((x) => x.getAttribute("href")));
    ensure(JSON.stringify(found) === JSON.stringify(links), JSON.stringify(found));
    await page.context().close();
  }
});

await check("without JavaScript all text and all samples are there", async () => {
  const page = await fresh({ javaScriptEnabled: false });
  await page.goto(BASE + "/docs/");
  for (const lang of ["curl", "python", "node", "c", "php"])
    ensure(await page.locator(`.tabs figure[data-lang=${lang}]`).first().isVisible(), lang);
  await page.screenshot({ path: `${SHOTS}/nojs-1280-light.png` });
});

await check("print shows every language and no controls", async () => {
  const page = await fresh();
  await page.goto(BASE + "/docs/");
  await page.emulateMedia({ media: "print" });
  ensure(await page.locator(".tabs figure[data-lang=php]").first().isVisible(), "PHP is not printed");
  ensure(!(await page.locator(".top").isVisible()), "the header is printed");
});

await browser.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
