// The types of the installed package, from CommonJS.
import se = require('se-native')
import testing = require('se-native/testing')

async function main(): Promise<string> {
  const { engine } = await testing.createTestEngine({ a: 'b' })
  const secrets: se.Secret[] = await se.resolveAll('se://**', { engine })
  return secrets.map((secret) => secret.text()).join()
}

void main()
