// Journey: what must not work. A proxy that alters answers is not believed; a stranger cannot change a policy; an upload that breaks off goes on
// where it was; what cannot be registered is refused with the place that is wrong; the page's policy lets no foreign script run.
import { strict as assert } from 'node:assert';
import { createKey, until } from './acts.mjs';
import { openBrowser, openPerson } from './browser.mjs';

const BASE = process.env.BASE_URL ?? 'http://localhost:8080';
const browser = await openBrowser();
const CSV = `a,b\n${Array.from({ length: 40 }, (_, i) => `${i},${i * 2}`).join('\n')}\n`;
const say = (text) => process.stdout.write(`${text}\n`);

/** Turns a bit in every answer that the pattern matches. */
async function alter(page, pattern) {
  await page.route(pattern, async (route) => {
    const response = await route.fetch();
    const body = Buffer.from(await response.body());
    body[Math.floor(body.length / 2)] ^= 1;
    await route.fulfill({ response, body });
  });
}

try {
  const owner = await openPerson(browser, BASE);
  await owner.page.goto('/datasets/new');
  await createKey(owner.page);

  // Broken files are refused in the page; nothing is sent.
  for (const [text, said] of [
    ['', /empty/],
    ['a,a\n1,2\n', /Two columns are named "a"/],
    ['a,b\n1,2\n3\n', /Line 3 has 1 values/],
    ['a,b\n', /no rows/],
  ]) {
    await owner.page.getByLabel('CSV file').setInputFiles({ name: 'broken.csv', mimeType: 'text/csv', buffer: Buffer.from(text) });
    await owner.page.getByRole('alert').getByText(said).waitFor();
  }
  say('broken files');

  // An upload that breaks off is kept, and goes on after a reload with the same file only.
  const { page } = owner;
  let broken = true;
  await page.route('**/uploads/*/chunks/*', (route) => (broken ? route.abort() : route.continue()));
  await page.getByLabel('CSV file').setInputFiles({ name: 'rows.csv', mimeType: 'text/csv', buffer: Buffer.from(CSV) });
  await page.getByLabel('Title').fill('Broken off');
  await page.getByRole('button', { name: 'Next: the policy' }).click();
  await page.getByRole('button', { name: 'Next: review' }).click();
  await page.getByRole('button', { name: 'Review and sign', exact: true }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Register this dataset' }).click();
  await page.getByRole('dialog').getByRole('alert').getByText(/does not answer/).waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Close', exact: true }).last().click();
  await page.reload();
  await page.getByText('"Broken off" is not finished').waitFor();
  const goOn = async (text) => {
    const chooser = page.waitForEvent('filechooser');
    await page.getByRole('button', { name: /and go on/ }).click();
    await (await chooser).setFiles({ name: 'rows.csv', mimeType: 'text/csv', buffer: Buffer.from(text) });
    await page.getByRole('dialog').getByRole('button', { name: 'Register this dataset' }).click();
  };
  await goOn(CSV.replace('39,78', '39,79'));
  await page.getByRole('dialog').getByRole('alert').getByText(/not the file that was begun with/).waitFor();
  await page.getByRole('dialog').getByRole('button', { name: 'Close', exact: true }).last().click();
  broken = false;
  await goOn(CSV);
  await page.getByRole('dialog').getByText(/It is registered/).waitFor({ timeout: 60_000 });
  await page.getByRole('dialog').getByRole('button', { name: 'Close', exact: true }).last().click();
  await page.waitForURL(/\/datasets\/\d+$/);
  await until(page, /Version 1: 40 rows, [^,]*$/m);
  say('an upload that broke off');
  const dataset = page.url();

  // A stranger is told who may; and the key file is asked for where the key is not.
  const stranger = await openPerson(browser, BASE);
  await stranger.page.goto(`${dataset}/policy`);
  await until(stranger.page, /Only its owner can set the policy/);
  await createKey(stranger.page);
  await until(stranger.page, /Only its owner can set the policy/);
  say('a stranger');

  // Altered answers: of the log, and of a call.
  await alter(stranger.page, '**/api/v*/canister/*/query');
  await stranger.page.goto(dataset);
  await stranger.page.getByRole('button', { name: 'How do we know?', exact: true }).click();
  await stranger.page.getByRole('dialog').getByText('This does not verify').waitFor();
  await stranger.page.unrouteAll();
  await stranger.page.getByRole('dialog').getByRole('button', { name: 'Check again' }).click();
  await stranger.page.getByRole('status', { name: 'Verified in this page' }).waitFor();
  await stranger.page.getByRole('dialog').getByRole('button', { name: 'Close' }).click();
  say('an altered log');

  await alter(stranger.page, '**/api/v*/canister/*/call');
  await stranger.page.getByRole('button', { name: /^Your account/ }).click();
  await stranger.page.getByRole('menuitem', { name: 'Get test tokens' }).click();
  await stranger.page.getByRole('dialog').getByRole('button', { name: 'Get test tokens' }).click();
  await stranger.page.getByRole('dialog').getByRole('alert').waitFor();
  const refused = await stranger.page.getByRole('dialog').getByRole('alert').innerText();
  assert.match(refused, /not believed|failed|did not carry out/);
  assert.doesNotMatch(refused, /\bat [A-Za-z]+ \(/, 'no stack trace');
  assert.equal(await stranger.page.getByRole('dialog').getByText('The tokens are in your account').count(), 0);
  await stranger.page.unrouteAll();
  await stranger.page.getByRole('dialog').getByRole('button', { name: 'Close', exact: true }).last().click();
  say('an altered certificate');

  // A faucet that was emptied once says so; nothing is minted twice.
  await stranger.page.getByRole('button', { name: /^Your account/ }).click();
  await stranger.page.getByRole('menuitem', { name: 'Get test tokens' }).click();
  await stranger.page.getByRole('dialog').getByRole('button', { name: 'Get test tokens' }).click();
  await stranger.page.getByRole('dialog').getByText(/You have claimed already|The tokens are in your account/).waitFor();
  await stranger.page.getByRole('dialog').getByRole('button', { name: 'Close', exact: true }).last().click();
  say('a faucet asked twice');

  // The page's own policy: a script that somebody manages to write into it does not run.
  const ran = await stranger.page.evaluate(async () => {
    const script = document.createElement('script');
    script.textContent = 'window.injected = true';
    document.head.append(script);
    await new Promise((resolve) => setTimeout(resolve, 200));
    return Boolean(window.injected);
  });
  assert.equal(ran, false, 'an inline script must not run');
  say('an injected script');
} finally {
  await browser.close();
}
