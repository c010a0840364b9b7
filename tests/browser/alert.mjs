// A real browser against a real daemon: the ECARUS guide's own EventSource code.
//
// usage: node alert.mjs TELLTALE CHROMIUM OUTPUT_FOLDER

import { once } from 'node:events'
import { createServer } from 'node:http'
import { check, ended, folder, kill, launch, startDemo, until } from './harness.mjs'

const data = folder()

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

let demo = await startDemo(data)
const base = demo.url.replace(/\/$/, '')
const server = createServer((_, response) => {
  response.setHeader('Content-Type', 'text/html; charset=utf-8')
  response.end(guide({ ...demo, url: base }))
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const browser = await launch()

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
  await until('an alert that is on', () => page.evaluate(() => window.seen.at(-1)?.eventType === 'CHILD_LEFT_BEHIND'))
  const before = await page.evaluate(() => window.seen.length)
  const port = new URL(base).port
  await kill(demo)
  demo = await startDemo(data, { listen: `127.0.0.1:${port}` })
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

await browser.close()
server.close()
await kill(demo)
ended()
