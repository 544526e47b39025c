// What a model's card says, read without trusting its form: it is JSON that a worker wrote.

export interface ModelCard {
  description: string | null;
  task: string | null;
  target: string | null;
  classes: string[];
  features: string[];
  limits: string[];
}

const text = (value: unknown): string | null => (typeof value === 'string' && value ? value : null);
const texts = (value: unknown): string[] => (Array.isArray(value) ? value.filter((item) => ['string', 'number', 'boolean'].includes(typeof item)).map(String) : []);

export const readCard = (card: Record<string, unknown> | null): ModelCard => ({
  description: text(card?.description),
  task: text(card?.task),
  target: text(card?.target),
  classes: texts(card?.classes),
  features: texts(card?.features),
  limits: texts(card?.limits),
});
