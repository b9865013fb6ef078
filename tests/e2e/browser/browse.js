// Drives Chromium through one job: JSON on standard input, JSON on standard output.
// Job: {chromium, home, url, steps: [...], screenshot, width, height, timeout (ms)}; steps are named in `steps` below.
// Whatever a page shows that is not there stays out of the result; a step that cannot be done ends the run with `error`.
'use strict';

const { chromium } = require('playwright-core');

// The flags a browser on a machine without the internet needs: no calls of its own, no first-run pages.
const FLAGS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-default-apps', '--disable-search-engine-choice-screen',
  '--metrics-recording-only', '--password-store=basic', '--disable-dev-shm-usage',
];

const ASKED = 20; // pages, one after the other, before the last one's fault is an error

const steps = {
  // Opens the job's address and says how the connection was made and what came of it.
  async open(page, job, result) {
    const answer = await page.goto(job.url, { waitUntil: 'domcontentloaded' });
    const security = await answer.securityDetails();
    result.status = answer.status();
    result.issuer = security && security.issuer;
    result.tls = security && security.protocol;
    result.protocol = await ask(page, () => performance.getEntriesByType('navigation')[0].nextHopProtocol);
  },

  // Waits for NiFi's canvas; the user it names.
  async canvas(page, job, result) {
    await page.locator('svg#canvas, #canvas-container svg').first().waitFor({ state: 'visible' });
    const user = page.locator('.current-user').first();
    await user.waitFor({ state: 'visible' });
    result.user = (await user.innerText()).trim();
    await settled(page);
  },

  // Waits for the first page of Airflow, behind its login; the user it names.
  async airflow(page, job, result) {
    await page.locator('a[href$="/dags"]').first().waitFor({ state: 'visible' });
    result.user = await ask(page, async () => (await (await fetch('/ui/auth/me')).json()).username);
    await settled(page);
  },

  // Goes to another path of the same site, and waits until a text is seen there.
  async go(page, job, result, { path, text }) {
    const answer = await page.goto(new URL(path, job.url).href, { waitUntil: 'domcontentloaded' });
    result.status = answer.status();
    await page.getByText(text).first().waitFor({ state: 'visible' });
    await settled(page);
  },

  // Drags a processor onto the canvas and adds it by its type, as a person would; whether it was let.
  async 'add-processor'(page, job, result, type) {
    const source = page.locator('new-canvas-item button, button.icon-processor').first();
    result.processor = { type, offered: await source.isEnabled(), added: false };
    if (!result.processor.offered) return;
    const from = await source.boundingBox();
    const before = await page.locator('g.processor').count();
    await page.mouse.move(from.x + from.width / 2, from.y + from.height / 2);
    await page.mouse.down();
    await page.mouse.move(job.width / 3, job.height / 2, { steps: 12 });
    await page.mouse.move(job.width / 2, job.height / 2, { steps: 6 });
    await page.mouse.up();
    const dialog = page.locator('mat-dialog-container');
    try {
      await dialog.waitFor({ state: 'visible', timeout: 30000 });
    } catch {
      return; // nothing happened: the canvas takes nothing from this user
    }
    await dialog.locator('input').first().fill(type);
    await dialog.locator(`tr:has-text("${type}")`).last().click();
    await dialog.getByRole('button', { name: 'Add', exact: true }).click();
    await dialog.waitFor({ state: 'hidden' });
    try {
      await page.locator('g.processor').nth(before).waitFor({ state: 'visible', timeout: 30000 });
      result.processor.added = true;
    } catch {
      result.processor.message = (await page.locator('mat-dialog-container, .mat-mdc-snack-bar-label').allInnerTexts())
        .join(' ').trim();
    }
    await settled(page);
  },

  // What the page says, as text.
  async text(page, job, result) {
    result.text = (await page.locator('body').innerText()).slice(0, 20000); // waits for a page that has only begun
  },

  // Calls the page's own origin from within the page, as its scripts do.
  async fetch(page, job, result, request) {
    result.fetched = await page.evaluate(async ({ path, method, body }) => {
      const answer = await fetch(path, {
        method: method || 'GET',
        body: body === undefined ? undefined : JSON.stringify(body),
        headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
      });
      return { status: answer.status, body: (await answer.text()).slice(0, 20000) };
    }, request);
  },
};

// What a page answers. One that sends the browser on, to a login say, takes its answer with it: then the next one is asked.
async function ask(page, question) {
  for (let left = ASKED; ; left -= 1) {
    try {
      return await page.evaluate(question);
    } catch (problem) {
      if (!left || !/navigation|context was destroyed/.test(problem.message)) throw problem;
      await page.waitForLoadState('domcontentloaded');
    }
  }
}

async function settled(page) {
  await page.waitForLoadState('networkidle').catch(() => undefined);
  await page.locator('.chakra-skeleton').first().waitFor({ state: 'hidden' }).catch(() => undefined); // Airflow's grey bars
}

async function main(job) {
  const result = { url: job.url, steps: [], responses: {}, failed: [] };
  const context = await chromium.launchPersistentContext(`${job.home}/profile`, {
    executablePath: job.chromium,
    args: FLAGS,
    viewport: { width: job.width, height: job.height },
    env: { ...process.env, HOME: job.home, XDG_DATA_HOME: `${job.home}/.local/share` },
  });
  try {
    const page = context.pages()[0] || await context.newPage();
    page.setDefaultTimeout(job.timeout);
    page.on('response', (answer) => {
      result.responses[answer.status()] = (result.responses[answer.status()] || 0) + 1;
    });
    page.on('requestfailed', (request) => result.failed.push(`${request.url()} ${request.failure().errorText}`));
    try {
      for (const step of job.steps) {
        const [name, argument] = typeof step === 'string' ? [step, undefined] : Object.entries(step)[0];
        if (!steps[name]) throw new Error(`no step named ${name}; there are: ${Object.keys(steps).join(', ')}`);
        await steps[name](page, job, result, argument);
        result.steps.push(name);
      }
    } catch (problem) {
      result.error = problem.message.split('\n')[0];
    }
    result.cookies = (await context.cookies()).map(({ name, secure, httpOnly, sameSite }) => (
      { name, secure, httpOnly, sameSite }));
    if (job.screenshot) await page.screenshot({ path: job.screenshot });
  } finally {
    await context.close();
  }
  return result;
}

let input = '';
process.stdin.on('data', (chunk) => { input += chunk; });
process.stdin.on('end', () => {
  main(JSON.parse(input))
    .then((result) => process.stdout.write(JSON.stringify(result)))
    .catch((problem) => {
      process.stdout.write(JSON.stringify({ error: problem.message, steps: [] }));
    });
});
