// The browser that journeys run in: the Chromium of npm @sparticuz/chromium, driven by playwright-core.
//
// Its default arguments switch off what a browser protects its user with; those are taken out, so that the page's own policy is enforced.
import chromium from '@sparticuz/chromium';
import { chromium as playwright } from 'playwright-core';

const UNSAFE = ['--disable-web-security', '--single-process', '--disable-site-isolation-trials', '--allow-running-insecure-content'];

export async function openBrowser() {
  const args = chromium.args.filter((arg) => !UNSAFE.includes(arg) && !arg.startsWith('--headless'));
  return playwright.launch({ executablePath: await chromium.executablePath(), args: [...args, '--no-sandbox', '--no-zygote'], headless: true });
}

/** A fresh person: a context of their own, with a page that collects what must not happen. */
export async function openPerson(browser, baseURL, options = {}) {
  const context = await browser.newContext({ baseURL, viewport: { width: 1280, height: 900 }, reducedMotion: 'reduce', acceptDownloads: true, ...options });
  context.setDefaultTimeout(30_000);
  const page = await context.newPage();
  const faults = [];
  page.on('pageerror', (error) => faults.push(`uncaught: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(`console: ${message.text()}`);
  });
  return { context, page, faults };
}

/** A passkey device that always says yes. */
export async function addAuthenticator(context, page) {
  const session = await context.newCDPSession(page);
  await session.send('WebAuthn.enable');
  const { authenticatorId } = await session.send('WebAuthn.addVirtualAuthenticator', {
    options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
  });
  return async () => (await session.send('WebAuthn.getCredentials', { authenticatorId })).credentials;
}
