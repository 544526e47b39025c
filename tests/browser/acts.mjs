// What people do on the page, in the words the page uses: found by role and label, as a person with a screen reader finds them.
import { strict as assert } from 'node:assert';

/** Makes a key on this device; gives its principal. */
export async function createKey(page) {
  await page.getByRole('button', { name: 'Sign in' }).first().click();
  await page.getByRole('button', { name: /Create a key on this device/ }).click();
  const menu = page.getByRole('button', { name: /^Your account/ });
  await menu.waitFor();
  return page.evaluate(() => localStorage.getItem('commonweight-current-identity'));
}

/** Presses the button of a review sheet that is open, and waits until the deed is done. */
export async function sign(page, button, { closes = true, timeout = 120_000 } = {}) {
  const sheet = page.getByRole('dialog');
  await sheet.getByText('Taking it back').waitFor();
  await sheet.getByRole('button', { name: button, exact: true }).click();
  const failed = sheet.getByRole('button', { name: 'Try again' });
  const finished = closes ? sheet.waitFor({ state: 'hidden', timeout }) : sheet.getByRole('button', { name: 'Close', exact: true }).last().waitFor({ timeout });
  await Promise.race([
    finished,
    failed.waitFor({ timeout }).then(async () => assert.fail(`the deed failed: ${await sheet.getByRole('alert').innerText()}`), () => undefined),
  ]);
  await finished;
}

export async function closeSheet(page) {
  await page.getByRole('dialog').getByRole('button', { name: 'Close', exact: true }).last().click();
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
}

export async function getTestTokens(page) {
  await page.getByRole('button', { name: /^Your account/ }).click();
  await page.getByRole('menuitem', { name: 'Get test tokens' }).click();
  await sign(page, 'Get test tokens', { closes: false });
  await closeSheet(page);
}

/** Registers a CSV, and saves its key file. `policy`: name of the template to start from. Gives the dataset's id. */
export async function register(page, { csv, title, target, policy, price }) {
  await page.goto('/datasets/new');
  await page.getByLabel('CSV file').setInputFiles({ name: 'rows.csv', mimeType: 'text/csv', buffer: Buffer.from(csv) });
  await page.getByLabel('Title').fill(title);
  await page.getByRole('combobox', { name: 'Column to predict' }).click();
  await page.getByRole('option', { name: target, exact: true }).click();
  await page.getByRole('button', { name: 'Next: the policy' }).click();
  await page.getByRole('button', { name: new RegExp(`^${policy}`) }).click();
  if (price) await page.getByLabel('Price of one job').fill(price);
  await page.getByRole('button', { name: 'Next: review' }).click();
  await page.getByRole('button', { name: 'Review and sign', exact: true }).click();
  await sign(page, 'Register this dataset', { closes: false });
  const saved = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Save the key file' }).click();
  const file = await (await saved).path();
  await closeSheet(page);
  await page.waitForURL(/\/datasets\/\d+$/);
  return { id: Number(page.url().split('/').pop()), keyFile: file };
}

/** Text of the page, once `pattern` is in it; reloads while it is not, for what happens elsewhere. */
export async function until(page, pattern, { timeout = 120_000 } = {}) {
  const end = Date.now() + timeout;
  for (;;) {
    const text = await page.locator('#main').innerText().catch(() => '');
    if (pattern.test(text)) return text;
    if (Date.now() > end) assert.fail(`the page never said ${pattern}; it says:\n${text.slice(0, 1500)}`);
    await page.waitForTimeout(500);
  }
}
