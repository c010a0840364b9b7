// What the browser's tests share: daemons, a browser, checks.
//
// A file of tests is run as `node FILE TELLTALE CHROMIUM OUTPUT_FOLDER`. It prints one JSON line a check: {"name", "passed",
// "seconds", "figures", "error"}; exit 1 when one failed. Every wait is for a condition, under one generous deadline.

import { chromium } from 'playwright-core'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export const [telltale, browserPath, output] = process.argv.slice(2)
export const GENEROUS_MS = 180_000
mkdirSync(output, { recursive: true })
const folders = []
let failed = 0

export async function check(name, body) {
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

/** The end of a file of tests. */
export function ended() {
  folders.forEach((each) => rmSync(each, { recursive: true, force: true }))
  process.exit(failed ? 1 : 0)
}

/** A new folder, gone at the end. */
export function folder() {
  folders.push(mkdtempSync(join(tmpdir(), 'telltale-browser-')))
  return folders.at(-1)
}

export async function startDemo(data, { listen = '127.0.0.1:0', speed = 4, scenario = 'school-run-forgotten' } = {}) {
  const command = ['demo', '--json', '--listen', listen, '--speed', speed, '--scenario', scenario, '--data', data]
  const child = spawn(telltale, command, { stdio: ['ignore', 'pipe', 'inherit'] })
  for await (const line of createInterface({ input: child.stdout })) {
    return { child, ...JSON.parse(line) }
  }
  throw new Error('the demo said nothing')
}

export async function kill({ child }) {
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}

export async function until(what, condition) {
  const deadline = Date.now() + GENEROUS_MS
  while (Date.now() < deadline) {
    const value = await condition()
    if (value) return value
    await new Promise((resume) => setTimeout(resume, 50))
  }
  throw new Error(`time is up: ${what}`)
}

export function launch() {
  const quiet = ['--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
  return chromium.launch({ executablePath: browserPath, args: ['--no-sandbox', ...quiet] })
}
