// The clients from npm, each as its own documentation uses it, and Chromium's own.
//
// usage: node clients.mjs CHROMIUM '[{"run": …, "client": …, "url": …, "token": …, "names": […]}, …]'
//
// One JSON line for everything that a client tells: {"run", "id"} for an event, {"run", "revoked"}, {"run", "ended"}.

import axios from 'axios'
import { EventSource as EventSource4 } from 'eventsource'
import EventSource2 from 'eventsource2'
import { createParser } from 'eventsource-parser'
import launchDarkly from 'launchdarkly-eventsource'
import { chromium } from 'playwright-core'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { once } from 'node:events'

const [browserPath, jobs] = process.argv.slice(2)
const say = (line) => console.log(JSON.stringify(line))
const bearer = (token) => ({ Authorization: `Bearer ${token}` })

// The id of an event; Fieldpine's stands in an array under its keyword.
function idOf(data) {
  const told = JSON.parse(data)
  return told.eventId ?? Object.values(told)[0][0].eventId
}

// What every EventSource is asked: events of these names, the end of a sign-in, and whether it has given up.
function listen(source, { run, names }) {
  for (const name of names) source.addEventListener(name, (event) => say({ run, id: idOf(event.data) }))
  source.addEventListener('revoked', () => say({ run, revoked: true }))
  source.onerror = () => { if (source.readyState === 2) say({ run, ended: true }) }
}

const inNode = {
  'eventsource 4.1.1': (job) => {
    const { url, token } = job
    listen(new EventSource4(url, {
      fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, ...bearer(token) } }),
    }), job)
  },

  'eventsource 2.0.2': (job) => {
    const { run, url, token } = job
    const source = new EventSource2(url, { headers: bearer(token) })
    listen(source, job)
    // It is closed right after the error that says why.
    source.onerror = (error) => { if (error.status) say({ run, ended: true }) }
  },

  'launchdarkly-eventsource 2.2.0': (job) => {
    const { run, url, token } = job
    const source = new launchDarkly.EventSource(url, {
      headers: bearer(token), initialRetryDelayMillis: 2000, maxBackoffMillis: 30000, retryResetIntervalMillis: 60000, jitterRatio: 0.5,
    })
    listen(source, job)
    source.addEventListener('closed', () => say({ run, ended: true }))
  },

  // axios gives bytes; the parser is the one that `eventsource` is built on, and coming back is the app's.
  'axios 1.21.1': async ({ run, url, token, names }) => {
    let lastEventId = '', retry = 2000
    for (;;) {
      try {
        const headers = { ...bearer(token), ...(lastEventId && { 'Last-Event-ID': lastEventId }) }
        const response = await axios.get(url, { responseType: 'stream', headers })
        if (response.status === 204) break
        const parser = createParser({
          onId: (id) => { lastEventId = id },
          onRetry: (milliseconds) => { retry = milliseconds },
          onEvent: ({ event, data }) => {
            if (names.includes(event ?? 'message')) say({ run, id: idOf(data) })
            if (event === 'revoked') say({ run, revoked: true })
          },
        })
        response.data.setEncoding('utf8')
        for await (const chunk of response.data) parser.feed(chunk)
      } catch (error) {
        if (error.response?.status === 401) break
      }
      await new Promise((resume) => setTimeout(resume, retry))
    }
    say({ run, ended: true })
  },
}

// In a page; `listen`, `idOf` and `say` are there too.
const inChromium = {
  'Chromium EventSource': (job) => {
    listen(new EventSource(`${job.url}${job.url.includes('?') ? '&' : '?'}token=${job.token}`), job)
  },

  'event-source-polyfill 1.0.31': (job) => {
    listen(new EventSourcePolyfill(job.url, { headers: { Authorization: `Bearer ${job.token}` } }), job)
  },

  // Its README's handlers.
  'fetch-event-source 2.0.1': async ({ run, url, token, names }) => {
    const { fetchEventSource, EventStreamContentType } = await import('/fetch-event-source/index.js')
    class RetriableError extends Error { }
    class FatalError extends Error { }
    fetchEventSource(url, {
      headers: { Authorization: `Bearer ${token}` },
      async onopen(response) {
        if (response.ok && response.headers.get('content-type') === EventStreamContentType) {
          return
        } else if (response.status >= 400 && response.status < 500 && response.status !== 429) {
          throw new FatalError()
        } else {
          throw new RetriableError()
        }
      },
      onmessage(msg) {
        if (msg.data && names.includes(msg.event || 'message')) say({ run, id: idOf(msg.data) })
        if (msg.event === 'revoked') say({ run, revoked: true })
      },
      onclose() {
        throw new RetriableError()
      },
      onerror(err) {
        if (err instanceof FatalError) throw err
      },
    }).catch(() => say({ run, ended: true }))
  },
}

// A page of another origin than the daemon's, as an app's would be, with the packages' own files.
async function servePage() {
  const modules = new URL('node_modules/', import.meta.url)
  const server = createServer(async (request, response) => {
    const script = request.url.match(/^\/fetch-event-source\/(\w+)(\.js)?$/)
    const file = script ? `@microsoft/fetch-event-source/lib/esm/${script[1]}.js` : request.url === '/polyfill.js' && 'event-source-polyfill/src/eventsource.js'
    response.setHeader('Content-Type', file ? 'text/javascript' : 'text/html')
    response.end(file ? await readFile(new URL(file, modules)) : '<!doctype html><script src="/polyfill.js"></script>')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${server.address().port}/`
}

const all = JSON.parse(jobs)
for (const job of all) inNode[job.client]?.(job)

const address = await servePage()
const browser = await chromium.launch({ executablePath: browserPath, handleSIGTERM: false, args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'] })
process.on('SIGTERM', () => browser.close().finally(() => process.exit()))
for (const job of all.filter((job) => inChromium[job.client])) {
  const page = await browser.newPage()
  await page.exposeFunction('say', say)
  await page.goto(address)
  await page.addScriptTag({ content: `${listen}\n${idOf}` })
  await page.evaluate(`(${inChromium[job.client]})(${JSON.stringify(job)})`)
}
