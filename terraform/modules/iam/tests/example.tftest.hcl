mock_provider "aws" {
  source = "../../tests/mocks"
}

run "example_with_github" {
  command = plan

  module {
    source = "./examples/with-github"
  }
}
