import { api } from './index';

interface BegunPasskey {
  ticket: string;
  publicKey: PublicKeyCredentialCreationOptionsJSON;
}

export interface TotpSecret {
  secret: string;
  uri: string;
  qr: string;
}

/** What a person does about its own second factors. */
export const factor = {
  beginTotp: () => api.post<TotpSecret>('/me/totp'),
  confirmTotp: (code: string) => api.post<{ recovery_codes: string[] }>('/me/totp/confirm', { json: { code } }),
  /** Has the authenticator of this device, or one beside it, make a passkey, and keeps it under a name. */
  async addPasskey(name: string): Promise<void> {
    const begun = await api.post<BegunPasskey>('/me/passkeys/begin');
    const made = await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(begun.publicKey) });
    if (!(made instanceof PublicKeyCredential)) throw new DOMException('', 'NotAllowedError');
    await api.post('/me/passkeys', { json: { ticket: begun.ticket, name, credential: made.toJSON() } });
  },
};

/** Whether a person only changed its mind before the authenticator. */
export function declined(thrown: unknown): boolean {
  return thrown instanceof DOMException && (thrown.name === 'NotAllowedError' || thrown.name === 'AbortError');
}
