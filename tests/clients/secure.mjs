// Clients over TLS and HTTP/2: Chromium's EventSource, and Node's own HTTP/2 with the parser that `eventsource` is built on.
//
// usage: node secure.mjs CHROMIUM '[{"run": …, "client": …, "url": …, "token": …, "names": […], "pin": …}, …]'
//
// One JSON line for everything that a client tells: {"run", "protocol"} when it connects, {"run", "id"} for an event,
// {"run", "revoked"}, {"run", "ended"}.

import { createParser } from 'eventsource-parser'
import { chromium } from 'playwright-core'
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import http2 from 'node:http2'
import { once } from 'node:events'

const [browserPath, jobs] = process.argv.slice(2)
const say = (line) => console.log(JSON.stringify(line))

/** One connection until its end; the status. The unit is known by the pin of the pairing, as an app knows it. */
function follow({ run, url, token, names, pin }, state) {
  const { origin, pathname } = new URL(url)
  return new Promise((resolve) => {
    let status = 0
    const session = http2.connect(origin, { rejectUnauthorized: false })
    session.on('error', () => {})
    session.on('close', () => resolve(status))
    session.on('connect', (_, socket) => {
      const key = socket.getPeerX509Certificate().publicKey.export({ type: 'spki', format: 'der' })
      if (createHash('sha256').update(key).digest('hex') !== pin) return session.destroy()
      const headers = { ':path': pathname, accept: 'text/event-stream', authorization: `Bearer ${token}` }
      const stream = session.request({ ...headers, ...(state.last && { 'last-event-id': state.last }) })
      const parser = createParser({
        onId: (id) => { state.last = id },
        onRetry: (milliseconds) => { state.retry = milliseconds },
        onEvent: ({ event, data }) => {
          if (names.includes(event)) say({ run, id: JSON.parse(data).eventId })
          if (event === 'revoked') say({ run, revoked: true })
        },
      })
      stream.setEncoding('utf8')
      stream.on('response', (head) => {
        status = head[':status']
        if (status === 200) say({ run, protocol: socket.alpnProtocol })
      })
      stream.on('data', (text) => parser.feed(text))
      stream.on('error', () => {})
      return stream.on('close', () => session.destroy())
    })
  })
}

async function inNode(job) {
  const state = { last: '', retry: 2000 }
  while (![204, 401].includes(await follow(job, state))) await new Promise((resume) => setTimeout(resume, state.retry))
  say({ run: job.run, ended: true })
}

async function inChromium({ run, url, token, names }) {
  const server = createServer((_, response) => {
    response.setHeader('Content-Type', 'text/html')
    response.end('<!doctype html>')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const browser = await chromium.launch({ executablePath: browserPath, handleSIGTERM: false, args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'] })
  process.on('SIGTERM', () => browser.close().finally(() => process.exit()))
  // What a person does once, by the browser's way past a certificate that no authority signed.
  const context = await browser.newContext({ ignoreHTTPSErrors: true })
  const page = await context.newPage()
  const network = await context.newCDPSession(page)
  await network.send('Network.enable')
  network.on('Network.responseReceived', ({ response }) => {
    if (response.url.startsWith(url) && response.status === 200) say({ run, protocol: response.protocol })
  })
  await page.exposeFunction('say', say)
  await page.goto(`http://127.0.0.1:${server.address().port}/`)
  await page.evaluate(({ run, url, token, names }) => {
    const source = new EventSource(`${url}?token=${token}`)
    for (const name of names) source.addEventListener(name, (event) => say({ run, id: JSON.parse(event.data).eventId }))
    source.addEventListener('revoked', () => say({ run, revoked: true }))
    source.onerror = () => { if (source.readyState === 2) say({ run, ended: true }) }
  }, { run, url, token, names })
}

for (const job of JSON.parse(jobs)) {
  if (job.client === 'node:http2') inNode(job)
  else inChromium(job)
}
