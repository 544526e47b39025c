// Journey: the whole line in the browser. Two people own data, a third builds; they register, ask, approve, fund, train, found, release,
// vote, ask the model for money and claim their part. Every signature is made by keys that live in three separate browsers.
// The receipt of the paid answer is saved as RECEIPT.
import { strict as assert } from 'node:assert';
import { createKey, getTestTokens, register, sign, until } from './acts.mjs';
import { openBrowser, openPerson } from './browser.mjs';

const BASE = process.env.BASE_URL ?? 'http://localhost:8080';

/** Two clouds that a small network parts easily; the same `seed` gives the same rows. */
function rows(count, seed) {
  let state = seed;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const lines = ['height,width,kind'];
  for (let i = 0; i < count; i += 1) {
    const tall = i % 2 === 0;
    lines.push(`${((tall ? 3 : 1) + random()).toFixed(4)},${((tall ? 1 : 3) + random()).toFixed(4)},${tall ? 'reed' : 'shrub'}`);
  }
  return `${lines.join('\n')}\n`;
}

const browser = await openBrowser();
const [anna, ben, cleo] = await Promise.all([openPerson(browser, BASE), openPerson(browser, BASE), openPerson(browser, BASE)]);
const began = Date.now();
const say = (text) => process.stdout.write(`${((Date.now() - began) / 1000).toFixed(0)} s: ${text}\n`);

try {
  for (const person of [anna, ben, cleo]) {
    await person.page.goto('/');
    person.principal = await createKey(person.page);
  }
  await getTestTokens(cleo.page);
  say('three keys, and tokens for the builder');

  const open = await register(anna.page, { csv: rows(120, 1), title: 'Reeds by the lake', target: 'kind', policy: 'Open' });
  const asked = await register(ben.page, { csv: rows(80, 2), title: 'Shrubs on the hill', target: 'kind', policy: 'Ask me each time', price: '1.5' });
  await until(anna.page, /Workers that hold a wrapped key[\s\S]*version 1/);
  await until(ben.page, /None: nobody but you can open it/);
  say(`datasets ${open.id} and ${asked.id}`);

  // The builder composes a job with both.
  const { page } = cleo;
  await page.goto(`/jobs/new?datasets=${open.id},${asked.id}`);
  await page.getByLabel('Title').fill('Reeds or shrubs');
  await page.getByLabel('Target column').fill('kind');
  await page.getByLabel('Epochs').fill('20');
  await page.getByLabel('Repetitions').fill('2');
  await page.locator('input[type=file]').setInputFiles({ name: 'held-out.csv', mimeType: 'text/csv', buffer: Buffer.from(rows(60, 3)) });
  await page.getByText('held-out.csv').waitFor();
  await page.waitForTimeout(1_000);
  await page.getByRole('button', { name: 'Review and sign', exact: true }).click();
  await sign(page, 'Propose this job');
  await page.waitForURL(/\/jobs\/\d+$/);
  const job = page.url();
  await until(page, /waits for one owner/);
  say('proposed; one owner is asked');

  // Ben answers; his key is wrapped for the worker in his browser.
  await ben.page.goto('/requests');
  await ben.page.getByRole('heading', { name: 'Reeds or shrubs' }).waitFor();
  await ben.page.getByRole('button', { name: 'Approve this request' }).click();
  await sign(ben.page, 'Approve this request');
  await until(ben.page, /Nothing waits for you/);
  say('approved');

  await until(page, /waits for its builder to pay/);
  await page.getByRole('button', { name: 'Fund this job' }).click();
  await sign(page, 'Fund this job');
  await until(page, /It is done/, { timeout: 300_000 });
  const settled = await page.locator('#main').innerText();
  assert.match(settled, /Whose data was worth what/);
  assert.match(settled, /Accuracy/);
  say('trained, attributed, settled');

  // Anna founds the cooperative and proposes the release; both owners of data vote.
  await anna.page.goto(job);
  await anna.page.getByRole('button', { name: 'Found its cooperative' }).click();
  await anna.page.getByRole('button', { name: 'Review and sign', exact: true }).click();
  await sign(anna.page, 'Found this cooperative', { closes: false });
  await anna.page.getByRole('dialog').getByRole('button', { name: 'Close', exact: true }).last().click();
  await anna.page.waitForURL(/\/models\//);
  const model = anna.page.url();
  await anna.page.getByRole('link', { name: 'Propose its first release' }).click();
  await anna.page.getByLabel('Why').fill('It tells reeds from shrubs.');
  await anna.page.getByRole('button', { name: 'Review and sign', exact: true }).click();
  await sign(anna.page, 'Propose this to the owners');
  await anna.page.waitForURL(/\/proposals\/\d+$/);
  const proposal = anna.page.url();
  await anna.page.getByRole('button', { name: 'Vote yes' }).click();
  await sign(anna.page, 'Vote yes');
  await until(anna.page, /You voted yes/);
  await ben.page.goto(proposal);
  // Whose part was larger depends on the training: Anna's vote alone may have decided.
  if (/of the votes/.test(await until(ben.page, /You have .* of the votes|The vote is closed/))) {
    await ben.page.goto('/votes');
    await ben.page.getByRole('link', { name: 'Release: Reeds or shrubs' }).click();
    await ben.page.getByRole('button', { name: 'Vote yes' }).click();
    await sign(ben.page, 'Vote yes');
  }
  await until(ben.page, /Live: its answers differ/, { timeout: 180_000 });
  say('founded, released by vote, live');

  // Cleo asks the model and pays; the answer is verified in her page, and equals ONNX Runtime's.
  await page.goto(model);
  await page.getByRole('button', { name: 'Ask this model' }).click();
  await sign(page, 'Ask this model');
  const receipt = page.getByRole('status', { name: "The model's answer" });
  await receipt.waitFor();
  const said = await receipt.innerText();
  assert.match(said, /Certified by the network, and verified in this page/);
  assert.match(said, /\(the live one\)/);
  const difference = Number(/largest difference (\S+)/.exec(said)?.[1]);
  assert.ok(difference < 1e-4, `the answer differs from ONNX Runtime's by ${difference}`);
  assert.match(said, /reed/);
  if (process.env.RECEIPT) {
    const saved = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Save the receipt' }).click();
    await (await saved).saveAs(process.env.RECEIPT);
  }
  say('asked, paid, verified');

  // Both owners find their part and claim it.
  for (const person of [anna, ben]) {
    await person.page.goto('/earnings');
    await until(person.page, /Reeds or shrubs/);
    await person.page.getByRole('button', { name: /^Claim from/ }).first().click();
    await sign(person.page, 'Claim this amount');
    await until(person.page, /Transfer/);
  }
  say('claimed');

  for (const person of [anna, ben, cleo]) assert.deepEqual(person.faults, []);
} finally {
  await browser.close();
}
