// Saving the key of a dataset as a file, under a passphrase if the owner wants one.
import { Button, PasswordInput, Stack, Text } from '@mantine/core';
import { useState } from 'react';
import { contentKey, keyFileText } from '@/lib/content-keys';
import { saveAs } from '@/lib/save';

export interface SaveKeyFileProps {
  entry: { owner: string; title: string; manifest_hash: string; ciphertext_root: string };
  /** Part of the file's name. */
  name: string;
}

export function SaveKeyFile({ entry, name }: SaveKeyFileProps) {
  const [passphrase, setPassphrase] = useState('');
  const [saved, setSaved] = useState(false);
  const save = async () => {
    const key = await contentKey(entry.owner, entry.manifest_hash);
    if (!key) return;
    saveAs(`commonweight-key-${name}.json`, await keyFileText(entry, key, passphrase));
    setSaved(true);
  };
  return (
    <Stack gap="xs" align="flex-start">
      <PasswordInput label="Passphrase for the key file" description="Without one, whoever has the file can open the data." value={passphrase} onChange={(event) => setPassphrase(event.currentTarget.value)} autoComplete="new-password" w="100%" maw={340} />
      <Button variant="default" size="xs" onClick={() => void save()}>
        Save the key file
      </Button>
      {saved && (
        <Text size="sm" role="status">
          Saved. Keep it where you keep what must not be lost.
        </Text>
      )}
    </Stack>
  );
}
