from reactor.cli.app import main

main()
