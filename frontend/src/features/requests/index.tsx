// What waits for the owner's word.
export { RequestsPage } from './RequestsPage';
