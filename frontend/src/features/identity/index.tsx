// The person at the page: signing in with a key of their own, test tokens, signing out.
export { IdentityArea } from './IdentityArea';
