// Journey: looking around without a key, at everything the story left. Wide, narrow, dark; by keyboard; with the axe rules for accessibility;
// and with the proof of what is shown checked in the page. Leaves a picture of the model's page in
// SCREENS, and what the drawer offers for checking without us as DEPLOYMENT.
import { strict as assert } from 'node:assert';
import { mkdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openBrowser, openPerson } from './browser.mjs';
import { until } from './acts.mjs';

const BASE = process.env.BASE_URL ?? 'http://localhost:8080';
const SCREENS = process.env.SCREENS ?? fileURLToPath(new URL('../../build/screens', import.meta.url));
const AXE = readFileSync(new URL('../../frontend/node_modules/axe-core/axe.min.js', import.meta.url), 'utf8');
mkdirSync(SCREENS, { recursive: true });

const get = async (path) => (await fetch(`${BASE}/api/market/${path}`)).json();
const [models, jobs, datasets] = await Promise.all([get('models'), get('jobs?state=settled'), get('datasets')]);
const model = models.results.find((one) => one.state === 'live');
const [job, dataset] = [jobs.results[0], datasets.results[0]];
assert.ok(model && job && dataset, 'the story has left a dataset, a settled job and a live model');

const PAGES = [
  ['/datasets', /Datasets/],
  [`/datasets/${dataset.id}`, /What is in it/],
  ['/jobs', /Jobs/],
  [`/jobs/${job.id}`, /Whose data was worth what/],
  ['/models', /Models/],
  [`/models/${model.canister}`, /Who owns it/],
  [`/models/${model.canister}/proposals/${model.live.proposal_id}`, /What changes if it is adopted/],
  ['/activity', /Blocks/],
  [`/accounts/${dataset.owner}`, /What came in/],
  ['/datasets/new', /Drop a CSV here/],
  ['/jobs/new', /Money and time/],
  ['/requests', /Sign in with your own key/],
  ['/votes', /Sign in with your own key/],
  ['/earnings', /Sign in with your own key/],
  ['/tokens', /Sign in with your own key/],
];

const barriers = [];

async function accessibility(page, where) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa'] }));
  barriers.push(...violations.map((v) => `${where}: ${v.id}: ${v.help} (${v.nodes.slice(0, 3).map((node) => node.html.slice(0, 140)).join(' | ')})`));
}

const browser = await openBrowser();
try {
  for (const [scheme, width] of [['light', 1280], ['dark', 1280], ['light', 360]]) {
    const { context, page, faults } = await openPerson(browser, BASE, { colorScheme: scheme, viewport: { width, height: 900 } });
    for (const [path, said] of PAGES) {
      await page.goto(path);
      await until(page, said, { timeout: 30_000 });
      await page.waitForFunction(() => !document.querySelector('[role=status][aria-label^=Loading]'));
      const spill = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(spill <= 0, `${path} is ${spill} pixels wider than ${width}`);
      await accessibility(page, `${path} (${scheme}, ${width})`);
    }
    assert.deepEqual(faults, [], `${scheme} ${width}`);
    await context.close();
    process.stdout.write(`${PAGES.length} pages, ${scheme}, ${width} pixels wide\n`);
  }

  const { page, faults } = await openPerson(browser, BASE);
  await page.goto(`/models/${model.canister}`);
  await until(page, /Ask this model/);
  await page.waitForLoadState('networkidle');
  await page.setViewportSize({ width: 1280, height: 1420 });
  await page.screenshot({ path: `${SCREENS}/model.png` });
  await page.setViewportSize({ width: 1280, height: 900 });

  // The proof of what is shown, checked here.
  await page.getByRole('button', { name: 'How do we know?', exact: true }).click();
  const verified = page.getByRole('status', { name: 'Verified in this page' });
  await verified.waitFor();
  assert.match(await verified.innerText(), /The network certified that last block/);
  await accessibility(page, 'the drawer');
  if (process.env.DEPLOYMENT) {
    const saved = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Save deployment.json' }).click();
    await (await saved).saveAs(process.env.DEPLOYMENT);
  }
  await page.keyboard.press('Escape');

  // What would a policy say? Asked of the registry itself.
  await page.goto(`/datasets/${dataset.id}`);
  await page.getByLabel('Builder').fill(dataset.owner);
  await page.getByRole('button', { name: 'What would it say?' }).click();
  await page.getByText(/^It would (approve at once|ask the owner|deny)$/).waitFor();
  await page.getByLabel('Builder').fill('nobody');
  await page.getByRole('button', { name: 'What would it say?' }).click();
  await page.getByText('The builder is not a principal.', { exact: false }).waitFor();

  // By keyboard alone: to the content, and into it.
  await page.goto('/models');
  await page.getByRole('list', { name: 'Models' }).waitFor();
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'Skip to the content');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  assert.equal(await page.evaluate(() => Boolean(document.activeElement?.closest('#main'))), true);

  // Dark colours are kept.
  await page.getByRole('button', { name: 'Use dark colours' }).click();
  await page.reload();
  assert.equal(await page.evaluate(() => document.documentElement.dataset.mantineColorScheme), 'dark');
  assert.deepEqual(faults, []);

  // What is not there says so.
  await page.goto('/datasets/999999');
  await page.getByRole('alert').getByText('There is no such dataset').waitFor();
  await page.goto('/nowhere/at/all');
  await page.getByText('There is nothing at this address').waitFor();
  assert.deepEqual(barriers, [], 'barriers for people who use assistive technology');
  process.stdout.write('proof, simulator, keyboard, what is not there\n');
} finally {
  await browser.close();
}
