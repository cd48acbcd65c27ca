// Opens reports in Chromium, as people do, and looks at what is there.
//   node check.mjs RESULTS [SHOTS]     every page below RESULTS; screenshots and PDF files into SHOTS
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join, relative, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [results, shots] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const wrong = [];
const expect = (is, what) => is || wrong.push(what);

const browserPath = execFileSync("bash", [fileURLToPath(new URL("chromium", import.meta.url))], { encoding: "utf8" }).trim();

const pages = readdirSync(results, { recursive: true })
  .filter((path) => path.endsWith(".html"))
  .map((path) => join(results, path))
  .sort();

async function opened(browser, path, options, what) {
  const context = await browser.newContext({ offline: true, viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  page.on("console", (message) => expect(!["error", "warning"].includes(message.type()), `${what}: console: ${message.text()}`));
  page.on("pageerror", (error) => expect(false, `${what}: ${error}`));
  page.on("dialog", (dialog) => { expect(false, `${what}: a script ran`); dialog.dismiss(); });
  page.on("request", (request) => {
    const own = /^(file|data):/.test(request.url());
    expect(own, `${what}: asks for ${request.url()}`);
  });
  await page.goto(pathToFileURL(resolve(path)).href);
  return { context, page };
}

/** Every chart has lines or cells; a point shows its values to the mouse and to the keyboard. */
async function charts(page, what) {
  const places = await page.locator("[data-chart]").all();
  for (const [number, place] of places.entries()) {
    const drawn = await place.locator("svg path").count();
    expect(drawn > 5, `${what}: chart ${number} is empty (${drawn} paths)`);
    expect((await place.getAttribute("aria-label"))?.length > 10, `${what}: chart ${number} has no description`);
    const numbers = place.locator("xpath=..").locator("details tbody tr");
    expect(await numbers.count() > 0, `${what}: chart ${number} has no table behind it`);
  }
  const kinds = JSON.parse(await page.locator("#charts").textContent());
  const at = kinds.findIndex((chart) => chart.kind !== "parallel");
  if (at < 0) return;
  const place = places[at];
  await place.scrollIntoViewIfNeeded();
  await place.focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("End");
  expect(/\d/.test(await place.locator("[aria-live]").textContent()), `${what}: arrow keys say nothing`);
  const box = await place.boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2 - 20);
  await page.waitForTimeout(100);
  expect(await place.locator(".tip").isVisible(), `${what}: hovering shows nothing`);
  await page.mouse.move(0, 0);
}

/** A variant's box hides its lines and shows them again. */
async function boxes(page, what) {
  const box = page.locator("input[data-variant]").first();
  if (!await box.count()) return;
  const paths = () => page.locator("#curves ~ .figures [data-chart]").first().locator("svg path").count();
  const before = await paths();
  await box.focus();
  await page.keyboard.press("Space");
  expect(await paths() < before, `${what}: a box hides nothing`);
  await page.keyboard.press("Space");
  expect(await paths() === before, `${what}: a box shows nothing again`);
}

async function barriers(page, what) {
  const found = await page.evaluate(`${axe}; axe.run({ resultTypes: ["violations"] })`);
  for (const each of found.violations) {
    expect(false, `${what}: ${each.id}: ${each.help}: ${each.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ")}`);
  }
}

async function look(browser, path) {
  const name = relative(results, path).replaceAll("/", "-").replace(".html", "");
  const shot = async (page, kind) => shots && page.screenshot({ path: join(shots, `${name}-${kind}.png`), fullPage: true });
  for (const colorScheme of ["light", "dark"]) {
    const what = `${name}, ${colorScheme}`;
    const { context, page } = await opened(browser, path, { colorScheme }, what);
    await shot(page, colorScheme);
    if (await page.locator("#charts").count()) await charts(page, what);
    await boxes(page, what);
    await barriers(page, what);
    if (colorScheme === "dark") {
      const paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
      expect(paper === "rgb(13, 17, 23)", `${what}: the paper is ${paper}`);
    } else {
      const pdf = await page.pdf({ format: "A4", printBackground: true, ...(shots && { path: join(shots, `${name}.pdf`) }) });
      expect(pdf.length > 5000, `${what}: prints ${pdf.length} bytes`);
    }
    await context.close();
  }
  const phone = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };
  const { context, page } = await opened(browser, path, phone, `${name}, phone`);
  const width = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(width <= 390, `${name}, phone: the page is ${width} wide`);
  await shot(page, "phone");
  await context.close();
  const plain = await opened(browser, path, { javaScriptEnabled: false }, `${name}, without scripts`);
  expect(await plain.page.locator("table").count() > 0, `${name}: there are no tables without scripts`);
  await plain.context.close();
}

if (shots) mkdirSync(shots, { recursive: true });
expect(pages.length > 0, `there are no pages below ${results}`);
const browser = await chromium.launch({ executablePath: browserPath, args: ["--no-sandbox"] });
for (const path of pages) await look(browser, path);
await browser.close();
if (wrong.length) {
  console.error(wrong.join("\n"));
  process.exit(1);
}
console.log(`${pages.length} pages: charts, keyboard, contrast, phone, print`);
