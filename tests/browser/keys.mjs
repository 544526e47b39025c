// Journey: keys. A passkey signs in with one tap and then without; a recovery phrase is the same person in another browser; a key on the
// device survives a reload and cannot be copied; an API token acts as its maker until it is revoked; signing out forgets nothing and shows nothing.
import { strict as assert } from 'node:assert';
import { createKey, getTestTokens, sign, until } from './acts.mjs';
import { addAuthenticator, openBrowser, openPerson } from './browser.mjs';

const BASE = process.env.BASE_URL ?? 'http://localhost:8080';
const browser = await openBrowser();
const faults = [];

const principalOf = (page) => page.evaluate(() => localStorage.getItem('commonweight-current-identity'));
const openDialog = async (page) => {
  await page.goto('/tokens');
  await page.getByRole('banner').getByRole('button', { name: 'Sign in' }).click();
};
async function visit(act) {
  const person = await openPerson(browser, BASE);
  await act(person);
  faults.push(...person.faults);
  await person.context.close();
}

/** Makes an API token, and gives its secret. */
async function makeToken(page, name) {
  await page.goto('/tokens');
  await page.getByLabel('Name').fill(name);
  await page.getByRole('button', { name: 'Review and sign', exact: true }).click();
  await sign(page, 'Make this token');
  const shown = await page.getByRole('status').getByRole('button', { name: /Copy secret/ }).innerText();
  const [secret] = /cwt_\S+/.exec(shown) ?? [];
  assert.ok(secret, `no secret is shown: ${shown}`);
  return secret;
}

const asToken = async (secret) => {
  const response = await fetch(`${BASE}/api/market/me`, { headers: { Authorization: `Bearer ${secret}` } });
  return { status: response.status, body: await response.json() };
};

try {
  await visit(async ({ context, page }) => {
    const credentials = await addAuthenticator(context, page);
    await openDialog(page);
    await page.getByRole('button', { name: /Create a passkey/ }).click();
    await page.getByRole('button', { name: /^Your account/ }).waitFor();
    const [made] = await credentials();
    const taps = made.signCount;
    await getTestTokens(page);
    await page.reload();
    await page.getByRole('button', { name: /^Your account/ }).waitFor();
    await page.goto('/requests');
    await until(page, /Nothing waits for you/);
    const [after] = await credentials();
    assert.equal(after.signCount, taps, 'after the first tap the session signs, not the passkey');
    const secret = await makeToken(page, 'by a passkey');
    const [signedToken] = await credentials();
    assert.equal(signedToken.signCount, taps + 1, 'a token is signed by the passkey itself');
    assert.equal((await asToken(secret)).body.principal, await principalOf(page));
  });
  process.stdout.write('passkey\n');

  let words = [];
  let principal = null;
  await visit(async ({ page }) => {
    await openDialog(page);
    await page.getByRole('button', { name: /Create a recovery phrase/ }).click();
    words = await page.getByRole('list', { name: 'Recovery phrase' }).getByRole('listitem').allInnerTexts();
    assert.equal(words.length, 24);
    await page.getByLabel('I have written them down').check();
    await page.getByRole('button', { name: 'Use this phrase' }).click();
    await page.getByRole('button', { name: /^Your account/ }).waitFor();
    principal = await principalOf(page);
    const kept = await page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));
    assert.ok(!kept.includes(words[0]) || !kept.includes(words[1]), 'the words are not kept');
  });
  await visit(async ({ page }) => {
    await openDialog(page);
    await page.getByRole('button', { name: 'I have a recovery phrase' }).click();
    const field = page.getByLabel('Your 24 words');
    await field.fill(words.slice(0, 23).join(' '));
    await page.getByRole('dialog').getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('A recovery phrase has 24 words; these are 23.').waitFor();
    await field.fill(words.join('  ').toUpperCase());
    await page.getByRole('dialog').getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('button', { name: /^Your account/ }).waitFor();
    assert.equal(await principalOf(page), principal, 'the same words are the same person');
  });
  process.stdout.write('recovery phrase\n');

  await visit(async ({ page }) => {
    await page.goto('/tokens');
    const mine = await createKey(page);
    const exportable = await page.evaluate(async (owner) => {
      const opened = await new Promise((resolve) => Object.assign(indexedDB.open('commonweight'), { onsuccess: (event) => resolve(event.target.result) }));
      const read = opened.transaction('identities').objectStore('identities').get(owner);
      const record = await new Promise((resolve) => Object.assign(read, { onsuccess: () => resolve(read.result) }));
      return crypto.subtle.exportKey('pkcs8', record.keyPair.privateKey).then(() => true, () => false);
    }, mine);
    assert.equal(exportable, false, 'no script can copy the key');

    const secret = await makeToken(page, 'laptop');
    const said = await asToken(secret);
    assert.equal(said.status, 200);
    assert.equal(said.body.principal, mine);
    await page.getByRole('table', { name: 'Your tokens' }).getByRole('button', { name: 'Revoke' }).click();
    await sign(page, 'Revoke this token');
    assert.equal((await asToken(secret)).status, 401, 'a revoked token opens nothing');

    await page.reload();
    await page.getByRole('button', { name: /^Your account/ }).waitFor();
    await page.getByRole('button', { name: /^Your account/ }).click();
    await page.getByRole('menuitem', { name: 'Sign out' }).click();
    await until(page, /Sign in with your own key/);
    await page.getByRole('banner').getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('button', { name: /^Continue as/ }).click();
    await page.getByRole('button', { name: /^Your account/ }).waitFor();
    assert.equal(await principalOf(page), mine, 'the key is still in this browser');
  });
  process.stdout.write('device key and API token\n');

  assert.deepEqual(faults, []);
} finally {
  await browser.close();
}
