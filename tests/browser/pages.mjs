// The daemon's own page, opened and asked: what its tests share.

import { join } from 'node:path'
import { GENEROUS_MS, output } from './harness.mjs'

export const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 }
export const DESK = { viewport: { width: 1280, height: 800 } }

/** A page in a browser of its own; `errors` is what went wrong in it, the policy's refusals included. */
export async function openIn(browser, link, look = PHONE, colorScheme = 'light') {
  const context = await browser.newContext({ ...look, colorScheme, locale: 'en-GB' })
  const page = await context.newPage()
  page.setDefaultTimeout(GENEROUS_MS)
  page.errors = []
  page.on('pageerror', (error) => page.errors.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error' && !/net::ERR|Failed to load resource/.test(message.text())) page.errors.push(message.text())
  })
  await page.goto(link)
  return page
}

export async function close(page) {
  if (page.errors.length) throw new Error(`errors on the page: ${page.errors}`)
  await page.context().close()
}

export const isLive = (page) => page.locator('#link[data-state="live"]').waitFor()
export const look = (page, view) => page.locator(`#tabs [data-to="${view}"]`).click()
export const shot = (page, name) => page.screenshot({ path: join(output, `${name}.png`) })

export function same(what, found, wanted) {
  if (JSON.stringify(found) !== JSON.stringify(wanted)) throw new Error(`${what}: ${JSON.stringify(found)} instead of ${JSON.stringify(wanted)}`)
}

export async function ask(daemon, path, method = 'GET', body = undefined) {
  const headers = { Authorization: `Bearer ${daemon.token}`, 'Content-Type': 'application/json' }
  const answer = await fetch(new URL(path, daemon.url), { method, headers, body: body && JSON.stringify(body) })
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
  return answer.status === 204 ? {} : answer.json()
}

/** What the page has in its history, newest first. */
export const shownIds = (page) => page.locator('#events li[data-id]').evaluateAll((rows) => rows.map((row) => Number(row.dataset.id)))

export async function historyIds(daemon) {
  const ids = []
  for (let since = 0, isEnd = false; !isEnd; ) {
    const { events, next } = await ask(daemon, `/api/v1/events?types=child,geofence,diagnosis,trip&limit=1000&since=${since}`)
    ids.push(...events.map((event) => event.eventId))
    isEnd = events.length < 1000
    since = next
  }
  return ids
}
