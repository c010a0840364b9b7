// The code of the guides, as their documents show it, against a demo behind a proxy that cuts.
//
// usage: node guides.mjs TELLTALE CHROMIUM OUTPUT_FOLDER
//
// The documents lie beside the project, and what of them is not there is passed over. Changed is the host, a comment that
// asks the reader for code of his own, and what a document's print has lost (line breaks). The shims: `evtSource` for
// `eventSource`, `GetOpenApi` and `eLink_ExtractStr`, in Node a cookie jar. The ECARUS guide's code is in ../browser/alert.mjs.

import axios from 'axios'
import { EventSource } from 'eventsource'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { get } from 'node:http'
import { connect, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { createContext, runInContext } from 'node:vm'
import { check, ended, folder, kill, launch, startDemo, until } from '../browser/harness.mjs'

const seeds = new URL('../../../shared/seeds/', import.meta.url)
const demo = await startDemo(folder(), { speed: 60 })
// Also when a fault ends this.
process.on('exit', () => demo.child.kill('SIGKILL'))
const browser = await launch()

/** A check with the text of a guide. */
function guided(number, name, body) {
  return check(`guides: ${name}`, async () => {
    const file = present().find((each) => each.startsWith(number))
    return file ? body(readFileSync(new URL(file, seeds), 'utf8')) : { 'passed over': `${seeds.pathname}${number}… is not there` }
  })
}

function present() {
  try {
    return readdirSync(seeds)
  } catch {
    return []
  }
}

/** What stands between two texts, both included. */
function between(text, from, to) {
  const start = text.indexOf(from), end = text.indexOf(to, start)
  if (start < 0 || end < 0) throw new Error(`the guide has no ${from} … ${to}`)
  return text.slice(start, end + to.length)
}

/** As `replace`, and there must be something to be replaced. */
function changed(text, from, to) {
  if (!text.includes(from)) throw new Error(`the guide has no ${from}`)
  return text.replaceAll(from, () => to)
}

/** A TCP proxy to the demo. */
async function proxied() {
  const open = new Set()
  const server = createServer((client) => {
    const daemon = connect(new URL(demo.url).port, '127.0.0.1')
    client.pipe(daemon).pipe(client)
    // Cut are streams: what a guide posts meanwhile without a thought of failure is none of the cut's business.
    daemon.on('data', (bytes) => bytes.includes('text/event-stream') && open.add(client))
    for (const each of [client, daemon]) {
      each.on('error', () => {}).on('close', () => { open.delete(client); client.destroy(); daemon.destroy() })
    }
  })
  server.listen(0, '127.0.0.1').unref()
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${server.address().port}`, cut: () => open.forEach((each) => each.destroy()) }
}

const credentials = { username: demo.member, password: demo.token }

/** A page of the vehicle's own origin, signed in by cookie; `run` runs code in it. */
async function inPage(url) {
  const page = await (await browser.newContext()).newPage()
  const logs = []
  page.on('console', (message) => logs.push({ at: Date.now(), text: message.text() }))
  page.on('pageerror', (error) => logs.push({ at: Date.now(), text: `uncaught: ${error.message}` }))
  await page.route(`${url}/guide`, (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html><title>guide</title>' }), { times: 1 })
  await page.goto(`${url}/guide`)
  await page.addScriptTag({ path: new URL('node_modules/axios/dist/axios.min.js', import.meta.url).pathname })
  await page.evaluate(([url, body]) => axios.post(`${url}/api/v1/auth/login`, body).then(() => {}), [url, credentials])
  return { logs, run: (code) => page.evaluate(code), load: (content) => page.addScriptTag({ content }) }
}

/** The same in Node, with a cookie jar for axios and `eventsource`. */
async function inNode(url) {
  const login = await axios.post(`${url}/api/v1/auth/login`, credentials)
  const jar = { Cookie: login.headers['set-cookie'].map((line) => line.split(';')[0]).join('; ') }
  class WithJar extends EventSource {
    constructor(address) {
      super(address, { fetch: (input, init) => fetch(input, { ...init, headers: { ...init.headers, ...jar } }) })
    }
  }
  const logs = []
  const log = (...what) => logs.push({ at: Date.now(), text: what.join(' ') })
  const names = { EventSource: WithJar, axios: axios.create({ headers: jar }), console: { log, error: log }, setInterval, clearInterval }
  const context = createContext(names)
  const run = async (code) => runInContext(code, context)
  return { logs, run, load: run }
}

/** The ids of the demo's events of these kinds from the first to the last of `seen`, which must be those. */
async function holdAgainstHistory(kinds, seen) {
  const headers = { Authorization: `Bearer ${demo.token}` }
  const { data } = await axios.get(`${demo.url}api/v1/events?types=${kinds}&since=${seen[0] - 1}&limit=1000`, { headers })
  const kept = data.events.map((event) => event.eventId).filter((id) => id <= seen.at(-1))
  if (`${kept}` !== `${seen}`) throw new Error(`seen ${seen}, kept ${kept}`)
}

/** Waits for ids, cuts, waits for more, and holds them all against the history. */
async function cutAndCompare(proxy, ids, kinds) {
  await until('events', () => ids().length >= 3)
  proxy.cut()
  const before = ids().length
  await until('events after the cut', () => ids().length >= before + 3)
  const seen = ids()
  // The first may be an alert that was active already: what happened between it and the connection is none of the stream's.
  await holdAgainstHistory(kinds, seen.slice(1))
  return { events: seen.length }
}

// Its code logs `lat: …` for no message that can be: `event.data` is a text, and has no `message_type`. The line before is judged.
async function destiny(guide, place, monitored) {
  const proxy = await proxied()
  const { logs, run, load } = await place(proxy.url)
  const [first, second, third] = [...guide.matchAll(/```javascript\n([^]*?)```/g)].map((found) => found[1])
  const stepThree = monitored ? monitored(third) : changed(third, 'unitId = 1 ', `unitId = ${demo.unit} `)
  const step = '// ... [STEP 3 CODE WILL GO HERE]'
  await load(changed(first, 'https://www.dummydomain.net', proxy.url) + changed(second, step, stepThree))
  const said = (text) => logs.filter((line) => line.text.includes(text))
  const gps = () => said('SSE Event: gps or trip message received')
  await until('a position', () => gps().length)
  // So long its second step subscribes again and again; from then on only the vehicle remembers.
  await until('the end of step 2', () => run('time < 0'))
  proxy.cut()
  await until('a second connection', () => said('SSE: EventSource connection successful!').length >= 2)
  const back = said('SSE: EventSource connection successful!')[1].at
  const again = await until('a position after it', () => gps().find((line) => line.at > back))
  const streams = said('stream_id received').map((line) => line.text)
  if (new Set(streams).size !== 1) throw new Error(`after the cut it has another stream: ${streams}`)
  await until('a ping', () => said('SSE Event: ping received').length)
  await run(between(guide, 'eventSource.close()', ')'))
  const wrong = logs.filter((line) => /Unknown SSE event type|uncaught/.test(line.text))
  if (wrong.length) throw new Error(wrong.map((line) => line.text).join('\n'))
  return {
    seconds_from_stream_id_to_position: (gps()[0].at - said('stream_id received')[0].at) / 1000,
    seconds_from_reconnect_to_position: (again.at - back) / 1000,
  }
}

// It shows both for a unit and for a vehicle.
const vehicle = (third) => changed(changed(third, 'unit/${unitId}', 'vehicle/${vehicleId}/primary'), 'unitId = 1 ', `vehicleId = "${demo.vin}" `)

async function namedEvents(guide) {
  const proxy = await proxied()
  const { logs, run, load } = await inPage(proxy.url)
  const from = 'var eventSource = new EventSource("api/'
  const connecting = between(guide, `${from}my-events"`, ';')
  const listening = changed(between(guide, 'evtSource.onmessage', '\n}'), '// do something with data', 'console.log(`event ${data.eventId}`)')
  await load(`${connecting}\nvar evtSource = eventSource\n${listening}`)
  const ids = () => logs.filter((line) => line.text.startsWith('event ')).map((line) => Number(line.text.slice(6)))
  const figures = await cutAndCompare(proxy, ids, 'child,geofence,diagnosis,trip')

  const heartbeat = changed(between(guide, `${from}heartbeat"`, '\n});'), '\n...\n', '\n')
  await load(changed(heartbeat, '// do something', 'console.log("heartbeat")'))
  const beats = () => logs.filter((line) => line.text === 'heartbeat').length
  await until('a heartbeat', beats)
  proxy.cut()
  const before = beats()
  await until('a heartbeat after a cut', () => beats() > before)

  const closing = `${from}my-events");\n// do things`
  await load(between(guide, closing, '.close();'))
  if (await run('eventSource.readyState') !== 2) throw new Error('its eventSource.close() does not close')
  return figures
}

/** The code of Fieldpine's page. Its print has it in one line; a comment ends where code begins. */
function fieldpineCode(guide) {
  const begins = String.raw`\s(?:\/\/|if \(|let |url \+=|TestEventSource\b|GetOpenApi\("|\})`
  const line = between(guide, 'var Token = null;', '\n')
  return line.replace(new RegExp(String.raw`\/\/\s\S.*?(?=${begins})`, 'g'), (comment) => `${comment}\n`)
}

const fieldpineShims = `
function GetOpenApi(path, then) { fetch(path).then((response) => response.json()).then(then) }
function eLink_ExtractStr(from, path, other) { return path.split('.').reduce((part, key) => part?.[key], from) ?? other }
`

// What it wants, a vehicle has not; it must be let in nevertheless, and come back.
async function fieldpineAsPrinted(guide) {
  const proxy = await proxied()
  const { logs, run, load } = await inPage(proxy.url)
  await load(`${fieldpineShims}${fieldpineCode(guide)}\nStartSSE()`)
  const isOpen = () => run('TestEventSource?.readyState === 1')
  await until('it is open', isOpen)
  await run('{ window.opened = 0; TestEventSource.addEventListener("open", () => { window.opened += 1 }) }')
  proxy.cut()
  await until('it is open again', () => run('window.opened > 0'))
  const wrong = logs.filter((line) => line.text.startsWith('uncaught'))
  if (wrong.length) throw new Error(wrong[0].text)
}

async function fieldpine(guide) {
  const proxy = await proxied()
  const { logs, load } = await inPage(proxy.url)
  const show = ';for (const each of Object.values(JSON.parse(oEventData.data))[0]) console.log(`event ${each.RVE}`);'
  let code = changed(fieldpineCode(guide), 'want=products,levels', 'want=geofence,child')
  for (const [theirs, ours] of [['product', 'geofence'], ['customer', 'child']]) {
    code = changed(changed(code, `'${theirs}s'`, `'${ours}'`), `// Handle a ${theirs} event`, show)
  }
  await load(`${fieldpineShims}${code}\nStartSSE()`)
  const ids = () => logs.filter((line) => line.text.startsWith('event ')).map((line) => Number(line.text.slice(6)))
  return cutAndCompare(proxy, ids, 'child,geofence')
}

/** Its pseudo-code for a socket, with the URL and the headers that it sets. */
async function fieldpineSocket(guide) {
  const proxy = await proxied()
  const path = changed(guide.match(/sock\.url = "([^"]*)"/)[1], 'want=products', 'want=geofence')
  const values = { '???': '0', 'Your-Api-Key': demo.token }
  const set = [...guide.matchAll(/sock\.HttpHeader\.([\w-]+) = "?([^\s"]+)/g)].map(([, name, value]) => [name, values[value] ?? value])
  const request = get(`${proxy.url}${path}`, { headers: Object.fromEntries(set) })
  const [response] = await once(request, 'response')
  if (response.statusCode !== 200) throw new Error(`${response.statusCode}`)
  const ids = []
  const lines = createInterface({ input: response }).on('line', (line) => {
    if (line.startsWith('data: {"Geofence"')) JSON.parse(line.slice(6)).Geofence.forEach((each) => ids.push(each.RVE))
  })
  // It is told of its own end.
  lines.on('error', () => {})
  await until('events', () => ids.length >= 3)
  request.destroy()
  await holdAgainstHistory('geofence', [...ids])
  return { headers: set.length, events: ids.length }
}

/** The lines that its command prints, for this member, as a person at a terminal would see them: at once. */
function curl(guide, url, more = '') {
  const command = changed(changed(between(guide, 'curl -i', '/notification/events'), 'MemberId: 123', `MemberId: ${demo.member}`), 'http://localhost:8080', url)
  const running = spawn('sh', ['-c', `exec stdbuf -oL ${command} -H "Authorization: Bearer ${demo.token}" ${more}`], { stdio: ['ignore', 'pipe', 'ignore'] })
  const lines = []
  createInterface({ input: running.stdout }).on('line', (line) => lines.push(line))
  return { lines, running }
}

async function serverSentEvents(guide) {
  const proxy = await proxied()
  const { lines, running } = curl(guide, proxy.url)
  await until('the stream', () => lines.includes('content-type: text/event-stream'))
  const object = between(guide, '{\n    "event"', '\n}')
  const headers = { 'Member-ID': demo.member, 'Content-Type': 'application/json', Authorization: `Bearer ${demo.token}` }
  const { data, status } = await axios.post(`${proxy.url}/events`, object, { headers })
  if (status !== 201) throw new Error(`published: ${status}`)
  const whole = (of) => of.includes(`id: ${data.id}`)
  await until('the event', () => whole(lines))
  proxy.cut()
  await once(running, 'exit')
  const { lines: after, running: second } = curl(guide, proxy.url, `-H "Last-Event-ID: ${data.id - 1}"`)
  await until('the event again, asked for what came before it', () => whole(after))
  second.kill()
  for (const seen of [lines, after]) {
    const [type, body] = seen.slice(seen.indexOf(`id: ${data.id}`) - 2)
    const { event } = JSON.parse(object), shown = JSON.parse(body.replace('data: ', ''))
    const right = type === `event: ${event.type}` && shown.examplePropertyOfEvent === event.body.examplePropertyOfEvent
    if (!right || new Date(shown.timestamp).toISOString() !== shown.timestamp) throw new Error(`${type}\n${body}`)
  }
}

await Promise.all([
  guided('001', 'Destiny in Chromium: a position, and again after a cut', (guide) => destiny(guide, inPage)),
  guided('001', 'Destiny in Node, for a vehicle: a position, and again after a cut', (guide) => destiny(guide, inNode, vehicle)),
  guided('002', 'named events: events over a cut, a heartbeat, and the end', namedEvents),
  guided('003', 'Fieldpine as printed: open, and again after a cut', fieldpineAsPrinted),
  guided('003', "Fieldpine with a vehicle's keywords: events over a cut", fieldpine),
  guided('003', "Fieldpine's socket with its headers", fieldpineSocket),
  guided('004', 'server-sent-events: publish, receive, and again from an id', serverSentEvents),
])
await browser.close()
await kill(demo)
ended()
