// Money and people: what came in, from where, what can be claimed; and anybody's public account.
export { AccountPage, MyEarningsPage } from './EarningsPage';
