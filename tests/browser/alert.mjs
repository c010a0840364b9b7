// A real browser against a real daemon: the ECARUS guide's own EventSource code, and the daemon's page.
//
// usage: node alert.mjs TELLTALE CHROMIUM OUTPUT_FOLDER
//
// Prints one JSON line a check: {"name", "passed", "seconds", "figures", "error"}; exit 1 when one failed. Every wait is for a
// condition, under one generous deadline.

import { chromium } from 'playwright-core'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, mkdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const [telltale, browserPath, output] = process.argv.slice(2)
const GENEROUS_MS = 180_000
const data = mkdtempSync(join(tmpdir(), 'telltale-browser-'))
mkdirSync(output, { recursive: true })
let failed = 0

async function check(name, body) {
  const begun = Date.now()
  let passed = true, figures = {}, fault
  try {
    figures = (await body()) ?? {}
  } catch (error) {
    passed = false
    failed += 1
    fault = error.stack
  }
  console.log(JSON.stringify({ name, passed, seconds: (Date.now() - begun) / 1000, figures, error: fault }))
}

async function startDemo(listen) {
  const child = spawn(telltale, ['demo', '--json', '--data', data, '--listen', listen], { stdio: ['ignore', 'pipe', 'inherit'] })
  for await (const line of createInterface({ input: child.stdout })) {
    return { child, ...JSON.parse(line) }
  }
  throw new Error('the demo said nothing')
}

async function kill(demo) {
  const ended = once(demo.child, 'exit')
  demo.child.kill('SIGKILL')
  await ended
}

async function until(what, condition) {
  const deadline = Date.now() + GENEROUS_MS
  while (Date.now() < deadline) {
    const value = await condition()
    if (value) return value
    await new Promise((resume) => setTimeout(resume, 50))
  }
  throw new Error(`time is up: ${what}`)
}

// The guide's two snippets, host and token changed; beside them one listener that keeps what it saw.
const guide = ({ url, vin, token }) => `<!doctype html><title>guide</title><script>
const vin = "${vin}";
const eventSource = new EventSource(\`${url}/api/v1/childcare/vehicles/\${vin}/child-alert/events?token=${token}\`);

eventSource.onopen = () => {
    console.log("SSE Connection established!");
};
eventSource.onmessage = (event) => {
    const data = JSON.parse(event.data);
    
    if (data.eventType === "CHILD_LEFT_BEHIND") {
        alert("Warning: Child detected inside the vehicle!");
        console.log("Location:", data.lastLocation.address);
    }
};

eventSource.onerror = (error) => {
    console.error("SSE Error:", error);
    // Implement reconnection logic if necessary
};
window.seen = [];
eventSource.addEventListener('message', (event) => window.seen.push(JSON.parse(event.data)));
</script>`

let demo = await startDemo('127.0.0.1:0')
const base = demo.url.replace(/\/$/, '')
const server = createServer((_, response) => {
  response.setHeader('Content-Type', 'text/html; charset=utf-8')
  response.end(guide({ ...demo, url: base }))
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const browser = await chromium.launch({
  executablePath: browserPath,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
})

const api = async (path) => {
  const response = await fetch(`${base}${path}`, { headers: { Authorization: `Bearer ${demo.token}` } })
  return response.json()
}

const page = await browser.newPage()
const dialogs = [], logs = []
page.on('dialog', async (dialog) => { dialogs.push(dialog.message()); await dialog.accept() })
page.on('console', (message) => logs.push(message.text()))

await check("browser: the guide's own code shows the alert and where the car is", async () => {
  const begun = Date.now()
  await page.goto(`http://127.0.0.1:${server.address().port}/`)
  await until('an alert in the browser', () => dialogs.includes('Warning: Child detected inside the vehicle!'))
  await until('its address', () => logs.find((line) => /^Location: ./.test(line)))
  return { seconds_from_page_to_alert: (Date.now() - begun) / 1000, location: logs.find((line) => line.startsWith('Location:')) }
})

await check('browser: kill -9 in the middle of an alert; the page goes on with no gap and no twin', async () => {
  const before = await page.evaluate(() => window.seen.length)
  const port = new URL(base).port
  await kill(demo)
  demo = await startDemo(`127.0.0.1:${port}`)
  const resumed = await until('the alert goes on', async () => (await page.evaluate((n) => window.seen.slice(n), before)).find((e) => e.child?.resumed))
  await until('an end of the alert', async () => (await page.evaluate(() => window.seen)).find((e) => e.eventId > resumed.eventId && e.eventType === 'CHILD_ALERT_CLEARED'))
  const seen = await page.evaluate(() => window.seen)
  const ids = seen.map((event) => event.eventId)
  if (new Set(ids).size !== ids.length) throw new Error(`twins: ${ids}`)
  const history = (await api(`/api/v1/events?types=child&since=${ids[0] - 1}&limit=1000`)).events.map((event) => event.eventId)
  const missed = history.filter((id) => id <= ids.at(-1) && !ids.includes(id))
  if (missed.length) throw new Error(`gaps: ${missed} of ${history}`)
  return { events: ids.length, repeated_by_the_restart: seen.filter((e) => e.child?.resumed).length }
})

async function openOwnPage(width, height) {
  const context = await browser.newContext({ viewport: { width, height } })
  const own = await context.newPage()
  const errors = []
  own.on('pageerror', (error) => errors.push(String(error)))
  own.on('console', (message) => { if (message.type() === 'error' && !/net::ERR|Failed to load resource/.test(message.text())) errors.push(message.text()) })
  await own.goto(`${base}/#token=${demo.token}`)
  await own.getByRole('alert').filter({ hasText: /child/i }).first().waitFor({ timeout: GENEROUS_MS })
  return { context, own, errors }
}

for (const [name, width, height] of [['phone', 360, 740], ['desk', 1280, 800]]) {
  await check(`browser: the daemon's page shows a live alert (${width}×${height})`, async () => {
    const { context, own, errors } = await openOwnPage(width, height)
    await own.screenshot({ path: join(output, `page-${name}.png`) })
    const overflow = await own.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
    if (overflow > 0) throw new Error(`the page is ${overflow} px too wide`)
    if (errors.length) throw new Error(`errors on the page: ${errors}`)
    await context.close()
  })
}

await check("browser: the daemon's page goes on after kill -9, and answers the alert", async () => {
  const { context, own, errors } = await openOwnPage(360, 740)
  const port = new URL(base).port
  await kill(demo)
  await own.locator('#link[data-state="lost"]').waitFor({ timeout: GENEROUS_MS })
  demo = await startDemo(`127.0.0.1:${port}`)
  await own.locator('#link[data-state="live"]').waitFor({ timeout: GENEROUS_MS })
  await own.getByRole('alert').filter({ hasText: /child/i }).first().waitFor({ timeout: GENEROUS_MS })
  await own.getByRole('button', { name: 'The child is safe' }).click({ timeout: GENEROUS_MS })
  await own.getByText('Thank you. The alert is over.').waitFor({ timeout: GENEROUS_MS })
  await own.locator('#alert').waitFor({ state: 'hidden', timeout: GENEROUS_MS })
  await own.locator('#events li', { hasText: 'Alert answered' }).first().waitFor({ timeout: GENEROUS_MS })
  const count = await own.locator('#count').textContent()
  if (!count.endsWith(', 0 told twice')) throw new Error(`twins: ${count}`)
  await own.screenshot({ path: join(output, 'page-answered.png') })
  if (errors.length) throw new Error(`errors on the page: ${errors}`)
  await context.close()
})

await browser.close()
server.close()
await kill(demo)
rmSync(data, { recursive: true, force: true })
process.exit(failed ? 1 : 0)
