// Looks at the embedded network's page. Arguments: the network's address and a canister that has trapped with HTML in its words.
// Output: one line of JSON with what the page shows and what went wrong on it.
import { openBrowser, openPerson } from './browser.mjs';

const [url, canister] = process.argv.slice(2);
const browser = await openBrowser();
try {
  const { page, faults } = await openPerson(browser, url);
  await page.goto('/_/dashboard');
  await page.getByText(canister).first().waitFor();
  await page.getByText('onerror').first().waitFor();
  const seen = { title: await page.title(), text: await page.locator('body').innerText(), images: await page.locator('img').count(), faults };
  console.log(JSON.stringify(seen));
} finally {
  await browser.close();
}
